// The checks of one email that need no transaction: its fields, its stream, the right to its From address; and its
// content in the form that is stored.
import type { Reach } from '#/db/scope.ts';
import type { ServerRow, StreamRow } from '#/db/servers.ts';
import { validateEmail } from '#/domain/email-input.ts';
import { requestHash } from '#/domain/email/request-hash.ts';
import type { Attachment, EmailInput, ValidEmail } from '#/domain/email/types.ts';
import { type Mailbox, parseMailbox } from '#/domain/email-address.ts';
import { InvalidInput, NotFound, SenderNotVerified, SendingPaused } from '#/domain/errors.ts';
import type { Actor } from '#/domain/actor.ts';
import { pauseOf, type SendingPause } from '#/domain/sending-pause.ts';
import { encodeContent } from '#/mail/content.ts';
import type { Deps } from '../deps.ts';
import type { ConfirmedSignature } from '#/db/sender-signatures.ts';
import type { SendingProfile } from './sending-profiles.ts';

/** `serverId`: UUID; null stands for the calling token's server. */
export interface SendEmailRequest extends EmailInput {
  readonly serverId: string | null;
}

/** What acceptance needs to know of an email, whether it came in parts (API) or as one (SMTP). */
export interface AcceptableEmail
  extends Pick<
    ValidEmail,
    | 'from'
    | 'recipients'
    | 'subject'
    | 'messageId'
    | 'tag'
    | 'metadata'
    | 'trackOpens'
    | 'trackLinks'
    | 'sendAt'
    | 'expiresAt'
    | 'idempotencyKey'
    | 'estimatedSize'
  > {
  readonly attachments: readonly Pick<Attachment, 'name' | 'contentType' | 'size'>[];
}

export interface PreparedEmail {
  readonly server: ServerRow;
  readonly stream: StreamRow & { readonly kind: 'TRANSACTIONAL' | 'BROADCAST' };
  readonly retentionDays: number;
  /** What the email is refused for, unless it was accepted before. */
  readonly pause: SendingPause | null;
  readonly email: AcceptableEmail;
  readonly content: Buffer;
  /** Null without an idempotency key. */
  readonly requestHash: Buffer | null;
  readonly weight: number;
}

export async function prepareEmail(
  deps: Deps,
  actor: Actor,
  reach: Reach,
  request: SendEmailRequest,
): Promise<PreparedEmail> {
  const { serverId, ...input } = request;
  const profile = await profileFor(deps, actor, reach, serverId);
  const checked = validateEmail(input, deps.clock.now());
  if (!checked.ok) throw new InvalidInput(checked.issues);
  const email = asSender(profile, checked.email);
  const stream = sendingStream(profile, actor, email.streamSlug);
  const pause = pauseFor(profile, stream.id, email.idempotencyKey);
  const content = encodeContent(email);
  return {
    server: profile.server,
    stream,
    retentionDays: profile.retentionDays,
    pause,
    email,
    content,
    requestHash: email.idempotencyKey === null ? null : requestHash(input),
    weight: content.length + 2_000,
  };
}

/** Throws unless the server may send from the address. Undefined: because its domain is verified. */
export function signatureFor(
  { verifiedDomains, signatures }: SendingProfile,
  from: Mailbox,
): ConfirmedSignature | undefined {
  const signature = signatures.get(from.key);
  if (signature === undefined && !verifiedDomains.has(from.domain)) throw new SenderNotVerified(from.address);
  return signature;
}

export function replyToOf(signature: ConfirmedSignature | undefined): Mailbox | null {
  const answers = signature === undefined || signature.replyTo === null ? null : parseMailbox(signature.replyTo);
  return answers?.ok === true ? answers.mailbox : null;
}

/** A signature brings its name and Reply-To where the email has none. */
function asSender(profile: SendingProfile, email: ValidEmail): ValidEmail {
  const { from, replyTo } = email;
  const signature = signatureFor(profile, from);
  if (signature === undefined) return email;
  const answers = replyToOf(signature);
  return {
    ...email,
    from: { ...from, name: from.name ?? signature.name },
    replyTo: replyTo.length === 0 && answers !== null ? [answers] : replyTo,
  };
}

export async function profileFor(
  deps: Deps,
  actor: Actor,
  { accountId, servers }: Reach,
  requested: string | null,
): Promise<SendingProfile> {
  const own = actor.kind === 'SERVER_TOKEN' ? actor.serverId : null;
  const serverId = requested ?? own;
  if (serverId === null) throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
  if (servers !== null && !servers.includes(serverId)) throw new NotFound();
  const profile = await deps.profiles.of(accountId, serverId);
  if (profile === null) throw new NotFound();
  return profile;
}

export function sendingStream(profile: SendingProfile, actor: Actor, slug: string): PreparedEmail['stream'] {
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

/**
 * Asked last: what will never be accepted is not to be sent again later. What came before under the same key is answered as
 * it was then, so with a key it is for acceptance to refuse.
 */
export function pauseFor({ pauses }: SendingProfile, streamId: string, key: string | null): SendingPause | null {
  const pause = pauseOf(pauses, streamId);
  if (pause !== null && key === null) throw new SendingPaused(pause);
  return pause;
}
