// Message streams and what is done to them.
import type { StreamRow } from '#/db/servers.ts';
import { MAX_STREAM } from '#/domain/email/limits.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_STREAM_DESCRIPTION, MAX_STREAM_NAME, MAX_STREAMS, PURGE_DAYS } from '#/domain/streams.ts';
import { archiveStream } from '#/resolvers/streams/archive-stream.ts';
import { createStream } from '#/resolvers/streams/create-stream.ts';
import { unarchiveStream } from '#/resolvers/streams/unarchive-stream.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';

export const StreamKind = builder.enumType('StreamKind', {
  description: 'What a stream carries.',
  values: {
    TRANSACTIONAL: { description: 'Mail that a person caused and waits for.' },
    BROADCAST: { description: 'The same mail for many. Goes after transactional mail.' },
    INBOUND: { description: 'Mail that comes in.' },
  } as const,
});

export const MessageStream = builder.objectRef<StreamRow>('MessageStream').implement({
  description: 'A stream of a server: mail of one kind, with suppressions of its own.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, str_….', resolve: ({ id }) => encodeId('stream', id) }),
    slug: t.exposeString('slug', { description: 'The name that sends use. Never changes.' }),
    name: t.exposeString('name', { description: 'For people.' }),
    kind: t.field({ type: StreamKind, description: 'What it carries. Never changes.', resolve: ({ kind }) => kind }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when nothing can be sent on it; null while it is in use.',
    }),
    purgeAt: t.expose('purgeAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When an archived stream is removed for good; until then it can be brought back.',
    }),
  }),
});

const CreateStreamInput = builder.inputType('CreateStreamInput', {
  description: 'A new stream.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server that gets it.' }),
    slug: t.string({
      description: `A lower-case letter, then up to ${MAX_STREAM - 1} lower-case letters, digits, - or _. Not beginning with pm-; unique on the server; never changes.`,
    }),
    name: t.string({ description: `For people; 1 to ${MAX_STREAM_NAME} characters.` }),
    kind: t.field({ type: StreamKind, description: 'What it carries. A server has one inbound stream.' }),
    description: t.string({
      required: false,
      description: `What it is for; at most ${MAX_STREAM_DESCRIPTION} characters of plain text.`,
    }),
  }),
});

const CreateStreamResult = resultUnion(
  'CreateStreamResult',
  MessageStream,
  createStream,
  'The stream, or why there is none.',
);
const ArchiveStreamResult = resultUnion(
  'ArchiveStreamResult',
  MessageStream,
  archiveStream,
  'The archived stream, or why it is not.',
);
const UnarchiveStreamResult = resultUnion(
  'UnarchiveStreamResult',
  MessageStream,
  unarchiveStream,
  'The stream in use again, or why it is not.',
);

builder.mutationFields((t) => ({
  createStream: t.withAuth(onId(createStream, 'server', 'input.serverId')).field({
    type: CreateStreamResult,
    nullable: true,
    description: guarded(
      createStream.permission,
      `Adds a stream to a server, which may have ${MAX_STREAMS}, archived ones included.`,
    ),
    args: { input: t.arg({ type: CreateStreamInput, description: 'The new stream.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, createStream.permission, 'server', serverId);
      return createStream(context.deps, caller, { ...input, serverId, description: input.description ?? null });
    },
  }),
  archiveStream: t.withAuth(onId(archiveStream, 'stream', 'input.id')).field({
    type: ArchiveStreamResult,
    nullable: true,
    description: guarded(
      archiveStream.permission,
      `Stops sending on a stream. It can be brought back for ${PURGE_DAYS} days. The streams outbound and inbound cannot be archived.`,
    ),
    args: { input: t.arg({ type: IdInput, description: 'The stream.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('stream', input.id);
      return archiveStream(context.deps, await callerAt(context, archiveStream.permission, 'stream', id), { id });
    },
  }),
  unarchiveStream: t.withAuth(onId(unarchiveStream, 'stream', 'input.id')).field({
    type: UnarchiveStreamResult,
    nullable: true,
    description: guarded(unarchiveStream.permission, 'Brings an archived stream back.'),
    args: { input: t.arg({ type: IdInput, description: 'The stream.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('stream', input.id);
      return unarchiveStream(context.deps, await callerAt(context, unarchiveStream.permission, 'stream', id), { id });
    },
  }),
}));
