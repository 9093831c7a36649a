// Custom header fields: what a sender may add, and which names belong to us.

import type { Issues } from './issues.ts';
import { MAX_HEADER_NAME, MAX_HEADER_VALUE, MAX_HEADERS, MAX_MESSAGE_ID, MAX_UNFOLDABLE } from './limits.ts';
import { lineFlaw } from './text.ts';
import type { HeaderField } from './types.ts';

const FROM_FIELD = 'is set from the field of the input';
const BY_SERVER = 'is written by the server when it composes the message';
const BY_RECEIVER = 'is written by servers on the way, and a forged one misleads them';
const SIGNED = 'is part of the authentication of the message';

/** Lower-case name → why it is not the sender's to set. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  // Two From headers, or a From beside a differing Sender, are how mail is made to look like someone else's.
  ['from', FROM_FIELD],
  ['sender', 'would let the message come from someone else than its From address'],
  ['to', FROM_FIELD],
  ['cc', FROM_FIELD],
  ['bcc', `${FROM_FIELD}, and must never be in a message`],
  ['reply-to', FROM_FIELD],
  ['subject', FROM_FIELD],
  ['date', BY_SERVER],
  ['mime-version', BY_SERVER],
  ['apparently-to', 'shows recipients that are not in the input'],
  ['return-path', 'is the address bounces come back to, and is made for each recipient'],
  ['received', BY_RECEIVER],
  ['received-spf', BY_RECEIVER],
  ['delivered-to', `${BY_RECEIVER}: they take it for a mail loop`],
  ['x-original-to', BY_RECEIVER],
  ['envelope-to', BY_RECEIVER],
  ['authentication-results', BY_RECEIVER],
  ['dkim-signature', SIGNED],
  ['domainkey-signature', SIGNED],
  ['x-google-dkim-signature', SIGNED],
  ['feedback-id', 'carries the identifiers by which mailbox providers report complaints to us'],
]);

const RESERVED_PREFIXES: readonly (readonly [prefix: string, reason: string])[] = [
  ['content-', 'describes the MIME structure, which the server composes'],
  ['x-veredus-', 'is reserved for this server'],
  ['arc-', SIGNED],
  // RFC 5322 §3.6.6: a trace block of its own order; half a block would be malformed.
  ['resent-', 'is for mail that is sent again by a person'],
];

/** RFC 5322 §3.6 and RFC 2369 §3: at most once in a message. */
const ONCE = new Set([
  'message-id',
  'in-reply-to',
  'references',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
  'auto-submitted',
  'precedence',
  'priority',
  'importance',
  'x-priority',
]);

/** RFC 5322 §2.2 ftext. */
const NAME = /^[!-9;-~]+$/;
/** RFC 5322 §3.6.4 without the obsolete forms. */
const MESSAGE_ID =
  /^<[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*@(?:[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*|\[[!-Z^-~]*\])>$/;

export interface CustomHeaders {
  readonly headers: readonly HeaderField[];
  readonly messageId: string | null;
}

const NONE: CustomHeaders = { headers: [], messageId: null };

export function checkHeaders(given: readonly HeaderField[] | null | undefined, issues: Issues): CustomHeaders {
  if (given === null || given === undefined || given.length === 0) return NONE;
  if (given.length > MAX_HEADERS) {
    issues.add(['headers'], `has ${given.length} headers; at most ${MAX_HEADERS} are allowed`);
    return NONE;
  }
  const headers: HeaderField[] = [];
  const seen = new Set<string>();
  let messageId: string | null = null;
  given.forEach(({ name, value }, index) => {
    const wrongName = nameFlaw(name);
    if (wrongName !== null) {
      issues.add(['headers', index, 'name'], wrongName);
      return;
    }
    const key = name.toLowerCase();
    if (ONCE.has(key) && seen.has(key)) {
      issues.add(['headers', index, 'name'], `${name} may stand in a message only once`);
      return;
    }
    seen.add(key);
    const text = value.trim();
    const wrongValue = valueFlaw(value, text, key);
    if (wrongValue !== null) issues.add(['headers', index, 'value'], wrongValue);
    else if (key === 'message-id') messageId = text;
    else headers.push({ name, value: text });
  });
  return { headers, messageId };
}

function nameFlaw(name: string): string | null {
  if (name === '') return 'is empty';
  if (!NAME.test(name))
    return 'holds a character that no header name has: only visible ASCII without a colon is allowed';
  if (name.length > MAX_HEADER_NAME) return `is longer than ${MAX_HEADER_NAME} characters`;
  const key = name.toLowerCase();
  const reason = RESERVED.get(key) ?? RESERVED_PREFIXES.find(([prefix]) => key.startsWith(prefix))?.[1];
  return reason === undefined ? null : `${name} cannot be set: it ${reason}`;
}

function valueFlaw(value: string, text: string, key: string): string | null {
  const flaw = lineFlaw(value, { tab: true });
  if (flaw !== null) return flaw;
  if (text === '') return 'is empty';
  if (Buffer.byteLength(value) > MAX_HEADER_VALUE) return `is longer than ${MAX_HEADER_VALUE} octets`;
  if (key === 'message-id') return messageIdFlaw(text);
  if (key === 'in-reply-to' || key === 'references') {
    for (const id of text.split(/[ \t]+/)) {
      const wrong = messageIdFlaw(id);
      if (wrong !== null) return wrong;
    }
  }
  // Structured fields cannot be written as encoded-words, so they must fit the wire as they are.
  if (key.startsWith('list-')) {
    if (/[^\x09\x20-\x7e]/.test(text)) return 'holds a character outside ASCII, which this header cannot carry';
    if (text.split(/[ \t]+/).some((run) => run.length > MAX_UNFOLDABLE))
      return `has more than ${MAX_UNFOLDABLE} characters without a space, which cannot be folded into lines`;
  }
  return null;
}

function messageIdFlaw(id: string): string | null {
  if (id.length > MAX_MESSAGE_ID) return `has a message id longer than ${MAX_MESSAGE_ID} characters`;
  return MESSAGE_ID.test(id) ? null : 'is not a message id of the form <left@right>';
}
