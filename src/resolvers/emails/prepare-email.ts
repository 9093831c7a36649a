// The checks of one email that need no transaction: its fields, its stream, the right to its From address; and its
// content in the form that is stored.
import type { ServerRow, StreamRow } from '#/db/servers.ts';
import { validateEmail } from '#/domain/email-input.ts';
import { requestHash } from '#/domain/email/request-hash.ts';
import type { EmailInput, ValidEmail } from '#/domain/email/types.ts';
import { InvalidInput, NotFound, SenderNotVerified } from '#/domain/errors.ts';
import type { Actor } from '#/domain/permissions.ts';
import { encodeContent } from '#/mail/content.ts';
import type { Deps } from '../deps.ts';
import type { SendingProfile } from './sending-profiles.ts';

/** `serverId`: UUID; null stands for the calling token's server. */
export interface SendEmailRequest extends EmailInput {
  readonly serverId: string | null;
}

export interface PreparedEmail {
  readonly server: ServerRow;
  readonly stream: StreamRow & { readonly kind: 'TRANSACTIONAL' | 'BROADCAST' };
  readonly retentionDays: number;
  readonly email: ValidEmail;
  readonly content: Buffer;
  /** Null without an idempotency key. */
  readonly requestHash: Buffer | null;
  readonly weight: number;
}

export async function prepareEmail(deps: Deps, actor: Actor, request: SendEmailRequest): Promise<PreparedEmail> {
  const { serverId, ...input } = request;
  const profile = await profileFor(deps, actor, serverId);
  const checked = validateEmail(input, deps.clock.now());
  if (!checked.ok) throw new InvalidInput(checked.issues);
  const { email } = checked;
  const stream = sendingStream(profile, actor, email.streamSlug);
  if (!profile.verifiedDomains.has(email.from.domain)) throw new SenderNotVerified(email.from.address);
  const content = encodeContent(email);
  return {
    server: profile.server,
    stream,
    retentionDays: profile.retentionDays,
    email,
    content,
    requestHash: email.idempotencyKey === null ? null : requestHash(input),
    weight: content.length + 2_000,
  };
}

async function profileFor(deps: Deps, actor: Actor, requested: string | null): Promise<SendingProfile> {
  const own = actor.kind === 'SERVER_TOKEN' ? actor.serverId : null;
  const serverId = requested ?? own;
  if (serverId === null) throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
  if (own !== null && serverId !== own) throw new NotFound();
  const profile = await deps.profiles.of(actor.accountId, serverId);
  if (profile === null) throw new NotFound();
  return profile;
}

function sendingStream(profile: SendingProfile, actor: Actor, slug: string): PreparedEmail['stream'] {
  const stream = profile.streams.get(slug);
  const bound = actor.kind === 'SERVER_TOKEN' ? actor.streamId : null;
  if (stream === undefined || (bound !== null && stream.id !== bound)) {
    throw InvalidInput.at(['stream'], `There is no stream "${slug}" on this server that the caller may send on.`);
  }
  if (stream.archivedAt !== null) throw InvalidInput.at(['stream'], `The stream "${slug}" is archived.`);
  const { kind } = stream;
  if (kind === 'INBOUND') throw InvalidInput.at(['stream'], `The stream "${slug}" receives mail and cannot send.`);
  return { ...stream, kind };
}
