// The rules an email must pass before it is accepted. Pure: the same input and the same `now` give the same answer.

import { checkAddresses } from './email/recipients.ts';
import { checkAttachments } from './email/attachments.ts';
import { checkHeaders } from './email/headers.ts';
import { collectIssues, type Issues } from './email/issues.ts';
import {
  MAX_BODY_BYTES,
  MAX_IDEMPOTENCY_KEY,
  MAX_MESSAGE_BYTES,
  MAX_SCHEDULE_DAYS,
  MAX_STREAM,
  MAX_SUBJECT,
  MAX_TAG,
} from './email/limits.ts';
import { checkMetadata } from './email/metadata.ts';
import { estimateSize } from './email/size.ts';
import { bodyFlaw, lineFlaw } from './email/text.ts';
import type { EmailInput, LinkTracking, ValidEmail } from './email/types.ts';
import type { InputIssue } from './errors.ts';

export type { EmailInput, ValidEmail } from './email/types.ts';

export type ValidatedEmail =
  | { readonly ok: true; readonly email: ValidEmail }
  | { readonly ok: false; readonly issues: InputIssue[] };

const DEFAULT_STREAM = 'outbound';
const STREAM = /^[a-z][a-z0-9_-]*$/;
const PRINTABLE = /^[\x20-\x7e]+$/;
export const LINK_TRACKING: ReadonlySet<LinkTracking> = new Set(['NONE', 'HTML_AND_TEXT', 'HTML_ONLY', 'TEXT_ONLY']);

export function validateEmail(input: EmailInput, now: Date): ValidatedEmail {
  const issues = collectIssues();
  const { from, ...addresses } = checkAddresses(input, issues);
  const subject = checkSubject(input.subject, issues);
  const html = input.html || null;
  const text = input.text || null;
  const htmlBytes = checkBody('html', html, issues);
  const textBytes = checkBody('text', text, issues);
  if (html === null && text === null) issues.add(['text'], 'is empty, and so is html: an email needs a body');
  const attachments = checkAttachments(input.attachments, issues);
  const { headers, messageId } = checkHeaders(input.headers, issues);
  const tag = checkTag(input.tag, issues);
  const metadata = checkMetadata(input.metadata, issues);
  const streamSlug = checkStream(input.stream, issues);
  const { sendAt, expiresAt } = checkTimes(input, now, issues);
  const idempotencyKey = checkIdempotencyKey(input.idempotencyKey, issues);
  const trackLinks = input.trackLinks ?? null;
  if (trackLinks !== null && !LINK_TRACKING.has(trackLinks))
    issues.add(['trackLinks'], 'is not a kind of link tracking');
  const addressCharacters = charactersOf(input);
  const estimatedSize = estimateSize({
    subject,
    html,
    text,
    htmlBytes,
    textBytes,
    attachments,
    headers,
    addressCharacters,
  });
  if (estimatedSize > MAX_MESSAGE_BYTES)
    issues.add(
      [attachments.length > 0 ? 'attachments' : html !== null && htmlBytes >= textBytes ? 'html' : 'text'],
      `the message would have ${estimatedSize} octets when encoded; at most ${MAX_MESSAGE_BYTES} are allowed`,
    );
  if (from === null || issues.found.length > 0) return { ok: false, issues: issues.found };
  const email = {
    from,
    to: addresses.to,
    cc: addresses.cc,
    bcc: addresses.bcc,
    replyTo: addresses.replyTo,
    recipients: addresses.recipients,
    subject,
    html,
    text,
    attachments,
    headers,
    messageId,
    tag,
    metadata,
    streamSlug,
    trackOpens: input.trackOpens ?? null,
    trackLinks,
    sendAt,
    expiresAt,
    idempotencyKey,
    estimatedSize,
  };
  return { ok: true, email };
}

function charactersOf(input: EmailInput): number {
  let count = input.from.length;
  for (const list of [input.to, input.cc, input.replyTo])
    if (list !== null && list !== undefined) for (const text of list) count += text.length + 4;
  return count;
}

export function checkSubject(given: string | null | undefined, issues: Issues): string {
  const subject = given ?? '';
  if (subject.length > MAX_SUBJECT) issues.add(['subject'], `is longer than ${MAX_SUBJECT} characters`);
  const flaw = lineFlaw(subject, { tab: true });
  if (flaw !== null) issues.add(['subject'], flaw);
  return subject;
}

/** Gives the size in octets. */
function checkBody(field: string, body: string | null, issues: Issues): number {
  if (body === null) return 0;
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BODY_BYTES) issues.add([field], `has ${bytes} octets; at most ${MAX_BODY_BYTES} are allowed`);
  const flaw = bodyFlaw(body);
  if (flaw !== null) issues.add([field], flaw);
  return bytes;
}

export function checkTag(given: string | null | undefined, issues: Issues): string | null {
  const tag = given || null;
  if (tag === null) return null;
  const flaw = tag.length > MAX_TAG ? `is longer than ${MAX_TAG} characters` : lineFlaw(tag);
  if (flaw !== null) issues.add(['tag'], flaw);
  return tag;
}

export function checkStream(given: string | null | undefined, issues: Issues): string {
  const slug = given ?? DEFAULT_STREAM;
  if (slug.length > MAX_STREAM || !STREAM.test(slug))
    issues.add(
      ['stream'],
      `is not the slug of a stream: a lower-case letter, then up to ${MAX_STREAM - 1} lower-case letters, digits, - or _`,
    );
  return slug;
}

/** A sendAt that has passed means "now": clocks differ and requests are retried. */
function checkTimes(input: EmailInput, now: Date, issues: Issues): { sendAt: Date | null; expiresAt: Date | null } {
  const given = input.sendAt ?? null;
  const sendAt = given !== null && given.getTime() <= now.getTime() ? null : given;
  const expiresAt = input.expiresAt ?? null;
  if (sendAt !== null) {
    const latest = now.getTime() + MAX_SCHEDULE_DAYS * 86_400_000;
    if (Number.isNaN(sendAt.getTime())) issues.add(['sendAt'], 'is not a time');
    else if (sendAt.getTime() > latest) issues.add(['sendAt'], `is more than ${MAX_SCHEDULE_DAYS} days ahead`);
  }
  if (expiresAt !== null) {
    if (Number.isNaN(expiresAt.getTime())) issues.add(['expiresAt'], 'is not a time');
    else if (expiresAt.getTime() <= now.getTime()) issues.add(['expiresAt'], 'has passed');
    else if (sendAt !== null && expiresAt.getTime() <= sendAt.getTime())
      issues.add(['expiresAt'], 'is not later than sendAt');
  }
  return { sendAt, expiresAt };
}

export function checkIdempotencyKey(given: string | null | undefined, issues: Issues): string | null {
  const key = given ?? null;
  if (key !== null && (key.length > MAX_IDEMPOTENCY_KEY || !PRINTABLE.test(key)))
    issues.add(['idempotencyKey'], `is not 1 to ${MAX_IDEMPOTENCY_KEY} printable ASCII characters`);
  return key;
}
