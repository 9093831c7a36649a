// Reads a message as a sender's program has composed it, and changes what must change and nothing else: line ends become
// CRLF; Bcc, Return-Path and the fields that speak to us go; what is missing is named, for the composer to put in front.
// Everything else keeps its bytes and its order, so that signatures of the sender's own hold.
import { isAscii } from 'node:buffer';
import type { Issues } from '#/domain/email/issues.ts';
import { MAX_MESSAGE_ID } from '#/domain/email/limits.ts';
import type { StoredSource } from '../content.ts';
import { canonicalLines } from './canonical-lines.ts';
import { type Controls, isControl, readControls } from './control-fields.ts';
import { hidesLineBreak } from './encoded-breaks.ts';
import { MAX_FIELDS, MAX_HEADER_BYTES, MAX_LINE, MAX_RECEIVED } from './limits.ts';

export interface Submission extends Omit<StoredSource, 'replyTo'> {
  /** Unfolded, still encoded; empty where there is none. */
  readonly from: string;
  readonly sender: string;
  /** Of the sender's own; null: it is left to us. */
  readonly messageId: string | null;
  readonly hasReplyTo: boolean;
  readonly controls: Controls;
}

interface Field {
  readonly name: string;
  readonly key: string;
  readonly start: number;
  /** After the CRLF of its last line. */
  end: number;
}

interface Header {
  readonly fields: readonly Field[];
  /** Of the empty line; the end of the message where there is none. */
  readonly end: number;
}

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
/** RFC 5322 §2.2 ftext. */
const NAME = /^[!-9;-~]+$/;
/** Names that never reach a recipient. Feedback-ID is ours: it tells us of complaints. */
const DROPPED = new Set(['bcc', 'resent-bcc', 'return-path', 'feedback-id']);
/** RFC 5322 §3.6. Of two of a kind one receiver shows the first and another the last. */
const ONCE = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'message-id',
  'in-reply-to',
  'references',
  'subject',
  'date',
]);

/** Null only where an issue says why. */
export function readSubmission(given: Buffer, issues: Issues): Submission | null {
  if (given.includes(0)) {
    issues.add(['message'], 'holds a NUL octet, which no mail may (RFC 5322): encode the part as base64');
    return null;
  }
  const { bytes, longest } = canonicalLines(given);
  if (longest.octets > MAX_LINE) {
    issues.add(
      [`line ${longest.line}`],
      `has ${longest.octets} octets; at most ${MAX_LINE} are allowed: encode the part as quoted-printable or base64`,
    );
    return null;
  }
  const header = readHeader(bytes, issues);
  if (header === null) return null;
  checkFields(header.fields, issues);
  for (const field of header.fields) {
    if (hidesLineBreak(textOf(bytes, field))) issues.add([field.name], 'hides a line break in an encoded-word');
  }
  const valueOf = (key: string) =>
    textOf(
      bytes,
      header.fields.find((field) => field.key === key),
    );
  const messageId = valueOf('message-id');
  if (messageId.length > MAX_MESSAGE_ID) issues.add(['Message-ID'], `is longer than ${MAX_MESSAGE_ID} characters`);
  const controls = header.fields
    .filter(({ key }) => isControl(key))
    .map((field) => ({ name: field.name, value: textOf(bytes, field) }));
  const date = valueOf('date');
  // A field that says nothing would stand beside ours.
  const empty = [...(messageId === '' ? ['message-id'] : []), ...(date === '' ? ['date'] : [])];
  return {
    ...assemble(bytes, header, ({ key }) => DROPPED.has(key) || isControl(key) || empty.includes(key)),
    lacks: { date: date === '', messageId: messageId === '' },
    from: valueOf('from'),
    sender: valueOf('sender'),
    messageId: messageId === '' ? null : messageId,
    hasReplyTo: header.fields.some(({ key }) => key === 'reply-to'),
    controls: readControls(controls, issues),
  };
}

function readHeader(bytes: Buffer, issues: Issues): Header | null {
  const fields: Field[] = [];
  let at = 0;
  for (let line = 1; at < bytes.length && bytes[at] !== CR; line++) {
    const end = bytes.indexOf(LF, at) + 1;
    const last = fields.at(-1);
    if ((bytes[at] === SPACE || bytes[at] === TAB) && last !== undefined) last.end = end;
    else {
      const colon = bytes.indexOf(0x3a, at);
      const name = colon < 0 || colon > end ? '' : bytes.toString('latin1', at, colon);
      if (!NAME.test(name)) {
        issues.add(
          [`line ${line}`],
          'is not a header field: a message begins with fields such as From: and Subject:, then an empty line',
        );
        return null;
      }
      fields.push({ name, key: name.toLowerCase(), start: at, end });
    }
    at = end;
    if (at > MAX_HEADER_BYTES || fields.length > MAX_FIELDS) {
      issues.add(['header'], `has more than ${MAX_FIELDS} fields or ${MAX_HEADER_BYTES} octets`);
      return null;
    }
  }
  return { fields, end: at };
}

function checkFields(fields: readonly Field[], issues: Issues): void {
  const counts = new Map<string, number>();
  for (const { key } of fields) counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { name, key } of fields) {
    if (ONCE.has(key) && (counts.get(key) ?? 0) > 1) {
      issues.add([name], `stands in the header ${counts.get(key)} times; once is allowed`);
      counts.delete(key);
    }
  }
  if ((counts.get('received') ?? 0) > MAX_RECEIVED)
    issues.add(['Received'], `stands there more than ${MAX_RECEIVED} times: this message runs in a loop`);
}

/** The value, unfolded; empty without a field. Octets past ASCII are read as UTF-8 (RFC 6532). */
function textOf(bytes: Buffer, field: Field | undefined): string {
  if (field === undefined) return '';
  return bytes
    .toString('utf8', field.start + field.name.length + 1, field.end)
    .replace(/\r\n(?=[ \t])/g, '')
    .trim();
}

function assemble(bytes: Buffer, { fields, end }: Header, isDropped: (field: Field) => boolean) {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const field of fields) {
    if (!isDropped(field)) continue;
    pieces.push(bytes.subarray(from, field.start));
    from = field.end;
  }
  // Without an empty line there is no body, and the header still has to end.
  const rest = bytes.subarray(from);
  const open = end === bytes.length;
  const source =
    pieces.length === 0 && !open ? bytes : Buffer.concat([...pieces, rest, Buffer.from(open ? '\r\n' : '')]);
  const body = open ? Buffer.alloc(0) : bytes.subarray(end + 2);
  const bodyStart = source.length - body.length;
  return { source, bodyStart, eightBit: !isAscii(body), smtpUtf8: !isAscii(source.subarray(0, bodyStart)) };
}
