// The checks of one email that came as a whole message (SMTP submission): the same rules as for one in parts, and the
// envelope alone decides who gets it.
import { hash } from 'node:crypto';
import type { Reach } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import { fileNameFlaw } from '#/domain/email/attachments.ts';
import { collectIssues, type Issues } from '#/domain/email/issues.ts';
import { MAX_ATTACHMENTS, MAX_MESSAGE_BYTES, MAX_RECIPIENTS } from '#/domain/email/limits.ts';
import { checkMetadata } from '#/domain/email/metadata.ts';
import { requestHash } from '#/domain/email/request-hash.ts';
import type { LinkTracking, Recipient, RecipientKind } from '#/domain/email/types.ts';
import { type Mailbox, parseMailbox } from '#/domain/email-address.ts';
import { checkIdempotencyKey, checkStream, checkSubject, checkTag, LINK_TRACKING } from '#/domain/email-input.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { encodeLargeSource } from '#/mail/content.ts';
import type { IncomingAttachment, IncomingMail } from '#/mail/mime/incoming-mail.ts';
import { readSubmitted } from '#/mail/mime/offload.ts';
import { readFromField } from '#/mail/source/from-field.ts';
import type { Submission } from '#/mail/source/read-submission.ts';
import type { Deps } from '../deps.ts';
import {
  type AcceptableEmail,
  type PreparedEmail,
  pauseFor,
  profileFor,
  replyToOf,
  sendingStream,
  signatureFor,
} from './prepare-email.ts';

export interface SendSourceRequest {
  /** UUID; null stands for the calling token's server. */
  readonly serverId: string | null;
  /** The envelope's. */
  readonly recipients: readonly string[];
  /** As it came; dot-stuffing removed. */
  readonly source: Buffer;
}

/** From the header's field to what is stored of it. */
const UNNAMED = 'unnamed';
const KIND_ORDER: Readonly<Record<RecipientKind, number>> = { TO: 0, CC: 1, BCC: 2 };

export async function prepareSource(
  deps: Deps,
  actor: Actor,
  reach: Reach,
  request: SendSourceRequest,
): Promise<PreparedEmail> {
  const profile = await profileFor(deps, actor, reach, request.serverId);
  const issues = collectIssues();
  const { submission, mail } = await read(request.source, issues);
  const from = mailboxOf('From', readFromField(submission.from), issues);
  const sender = submission.sender === '' ? null : mailboxOf('Sender', readFromField(submission.sender), issues);
  const recipients = checkRecipients(request.recipients, mail, issues);
  const { streamSlug, ...email } = checkContent(submission, mail, issues);
  if (from === null || issues.found.length > 0) throw new InvalidInput(issues.found);
  const signature = signatureFor(profile, from);
  // Some clients show it in place of From.
  if (sender !== null) signatureFor(profile, sender);
  const stream = sendingStream(profile, actor, streamSlug);
  const pause = pauseFor(profile, stream.id, email.idempotencyKey);
  const replyTo = submission.hasReplyTo ? null : replyToOf(signature);
  const content = await encodeLargeSource({ ...submission, replyTo });
  return {
    server: profile.server,
    stream,
    retentionDays: profile.retentionDays,
    pause,
    email: { ...email, from, recipients, messageId: submission.messageId },
    content,
    requestHash: email.idempotencyKey === null ? null : hashOf(mail, submission, recipients),
    weight: content.length + 2_000,
  };
}

async function read(source: Buffer, issues: Issues): Promise<{ submission: Submission; mail: IncomingMail }> {
  if (source.length > MAX_MESSAGE_BYTES)
    throw InvalidInput.at(
      ['message'],
      `has ${source.length} octets; at most ${MAX_MESSAGE_BYTES} are allowed: send large files as links`,
    );
  const { submission, mail, issues: found } = await readSubmitted(source);
  for (const { path, message } of found) issues.add(path, message);
  if (submission === null || mail === null) throw new InvalidInput(issues.found);
  for (const defect of ['TOO_DEEP', 'TOO_MANY_PARTS'] as const)
    if (mail.defects.includes(defect)) issues.add(['message'], `has MIME parts beyond what is read: ${defect}`);
  return { submission, mail };
}

function mailboxOf(field: string, parsed: ReturnType<typeof readFromField>, issues: Issues): Mailbox | null {
  if (parsed.ok) return parsed.mailbox;
  issues.add([field], `${parsed.reason}; exactly one address is needed`);
  return null;
}

/** Whoever stands in no field of the header is a blind copy. */
function checkRecipients(given: readonly string[], mail: IncomingMail, issues: Issues): readonly Recipient[] {
  if (given.length > MAX_RECIPIENTS) {
    issues.add(['recipients'], `are ${given.length}; at most ${MAX_RECIPIENTS} are allowed: send several messages`);
    return [];
  }
  const kinds = new Map<string, RecipientKind>();
  for (const [kind, list] of [
    ['CC', mail.cc],
    ['TO', mail.to],
  ] as const)
    for (const { address } of list) kinds.set(keyOf(address), kind);
  const recipients = new Map<string, Recipient>();
  for (const text of given) {
    const parsed = parseMailbox(text);
    if (!parsed.ok) issues.add(['recipients', text], parsed.reason);
    else {
      const { mailbox } = parsed;
      recipients.set(mailbox.key, { kind: kinds.get(mailbox.key) ?? 'BCC', mailbox: { ...mailbox, name: null } });
    }
  }
  return [...recipients.values()].sort((one, other) => KIND_ORDER[one.kind] - KIND_ORDER[other.kind]);
}

function keyOf(address: string): string {
  const parsed = parseMailbox(address);
  return parsed.ok ? parsed.mailbox.key : address.toLowerCase();
}

type Content = Omit<AcceptableEmail, 'from' | 'recipients' | 'messageId'> & { readonly streamSlug: string };

function checkContent(submission: Submission, mail: IncomingMail, issues: Issues): Content {
  const { controls } = submission;
  return {
    streamSlug: checkStream(controls.stream, issues),
    subject: checkSubject(mail.subject, issues),
    tag: checkTag(controls.tag, issues),
    metadata: checkMetadata(controls.metadata, issues),
    idempotencyKey: checkIdempotencyKey(controls.idempotencyKey, issues),
    trackOpens: controls.trackOpens,
    trackLinks: checkTracking(controls.trackLinks, issues),
    attachments: checkAttached(mail.attachments, issues),
    sendAt: null,
    expiresAt: null,
    estimatedSize: submission.source.length,
  };
}

function checkTracking(given: string | null, issues: Issues): LinkTracking | null {
  if (given === null) return null;
  for (const kind of LINK_TRACKING) if (kind === given) return kind;
  issues.add(['X-Veredus-Track-Links'], `is none of ${[...LINK_TRACKING].join(', ')}`);
  return null;
}

function checkAttached(given: readonly IncomingAttachment[], issues: Issues): AcceptableEmail['attachments'] {
  if (given.length > MAX_ATTACHMENTS)
    issues.add(['attachments'], `are ${given.length}; at most ${MAX_ATTACHMENTS} are allowed`);
  return given.map(({ name, contentType, size }, index) => {
    const flaw = name === null ? null : fileNameFlaw(name);
    if (flaw !== null) issues.add(['attachments', index, 'name'], flaw);
    return { name: name ?? UNNAMED, contentType, size };
  });
}

/**
 * What the message says, not how: a program that sends it again makes new boundaries, another Date and Message-ID, and
 * means the same mail.
 */
function hashOf(mail: IncomingMail, { controls, from }: Submission, recipients: readonly Recipient[]): Buffer {
  const { subject, text, html } = mail;
  return requestHash({
    from,
    recipients: recipients.map(({ mailbox }) => mailbox.key).sort(),
    subject,
    text,
    html,
    attachments: mail.attachments.map(({ name, contentType, content }) => [name, contentType, hash('sha256', content)]),
    controls,
  });
}
