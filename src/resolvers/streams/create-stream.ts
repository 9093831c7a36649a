// Adds a stream to a server.
import { insertStream, listStreams, lockServer, type StreamRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, Forbidden, InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import type { InDoubtPolicy } from '#/domain/delivery/states.ts';
import type { TlsPolicy } from '#/domain/delivery/tls.ts';
import { encodeId } from '#/domain/ids.ts';
import {
  checkDescription,
  checkLifetime,
  checkName,
  checkSlug,
  MAX_STREAM_NAME,
  MAX_STREAMS,
  type StreamKind,
} from '#/domain/streams.ts';
import { command } from '../define.ts';

export interface CreateStreamRequest {
  readonly serverId: string;
  readonly slug: string;
  readonly name: string;
  readonly kind: StreamKind;
  readonly description: string | null;
  /** RETRY unless given. */
  readonly inDoubt?: InDoubtPolicy | null | undefined;
  /** What is usual for the kind unless given. */
  readonly lifetimeMinutes?: number | null | undefined;
  /** OPPORTUNISTIC unless given. */
  readonly tlsPolicy?: TlsPolicy | null | undefined;
}

export const createStream = command({
  permission: 'stream.write',
  errors: [InvalidInput, Conflict, LimitReached, NotFound],
  announces: ['config'],
  audit: (_input: CreateStreamRequest, stream: StreamRow) => ({
    action: 'stream.create',
    subjectIds: [encodeId('stream', stream.id), encodeId('server', stream.serverId)],
    changes: { slug: stream.slug, name: stream.name, kind: stream.kind },
  }),
  async run({ scope, inside, fail }, input) {
    if (scope.streamId !== null) throw new Forbidden('the token is bound to one stream');
    const server = (await lockServer(scope, input.serverId)) ?? fail(new NotFound());
    const issues = collectIssues();
    checkSlug(input.slug, issues);
    const name = checkName(input.name, MAX_STREAM_NAME, issues);
    if (input.description !== null) checkDescription(input.description, issues);
    checkLifetime(input.kind, input.lifetimeMinutes ?? null, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const existing = await listStreams(scope, [server.id]);
    if (existing.some(({ slug }) => slug === input.slug))
      fail(new Conflict(`The server has a stream "${input.slug}" already.`));
    if (input.kind === 'INBOUND' && existing.some(({ kind }) => kind === 'INBOUND'))
      fail(new Conflict('A server has one inbound stream.'));
    if (existing.length >= MAX_STREAMS)
      fail(new LimitReached('streams on a server, archived ones included', MAX_STREAMS));
    const stream: StreamRow = {
      accountId: scope.accountId,
      id: inside.ids.next(),
      serverId: server.id,
      slug: input.slug,
      name,
      description: input.description,
      kind: input.kind,
      inDoubtPolicy: input.inDoubt ?? 'RETRY',
      lifetimeMinutes: input.lifetimeMinutes ?? null,
      tlsPolicy: input.tlsPolicy ?? 'OPPORTUNISTIC',
      createdAt: scope.now,
      archivedAt: null,
      purgeAt: null,
    };
    await insertStream(scope, stream);
    return stream;
  },
});
