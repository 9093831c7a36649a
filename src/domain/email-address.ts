// Reads one mailbox as a sender writes it: `a@b.example`, `Name <a@b.example>`, `"Sender, Jr" <a@b.example>`.
// Stricter than RFC 5322 on purpose: what two parsers could read as two different addresses is refused (comments, groups,
// lists, routes, domain literals, encoded-words), because the From check and the receiver must see the same sender.
//
// Every path is linear in the text and written by hand: a batch can bring 25,000 addresses, and the recursive RFC 5322
// parsers need up to 60 ms for one bad text of 1,000 characters. The library email-addresses is the oracle of the tests.
//
// Policy beyond the RFCs:
// - a domain needs two labels; for the rest see domain-name.ts;
// - quoted local parts pass and are rewritten to their shortest form, so `"a"@b.example` and `a@b.example` have one key.

import { asciiDomain, MAX_LABEL } from './domain-name.ts';

export interface Mailbox {
  /** Display name, decoded; null when there is none. */
  readonly name: string | null;
  /** As it goes on the wire: a dot-atom, or a quoted string when it must be one. Never changed in case. */
  readonly localPart: string;
  /** A-labels in lower case. */
  readonly domain: string;
  /** localPart@domain. */
  readonly address: string;
  /** NFC and lower case: what suppressions, searches and duplicates compare. */
  readonly key: string;
  /** The local part is not ASCII: only a server with SMTPUTF8 (RFC 6531) can take it. */
  readonly smtpUtf8: boolean;
}

export type ParsedMailbox =
  | { readonly ok: true; readonly mailbox: Mailbox }
  | { readonly ok: false; readonly reason: string };

/** RFC 5321 §4.5.3.1.1, octets. */
const MAX_LOCAL_PART = 64;
/** RFC 5321 §4.5.3.1.3: a path is 256 octets with its angle brackets. */
const MAX_ADDRESS = 254;
const MAX_NAME = 255;
/** Twice a name with every character escaped, and an address. */
const MAX_TEXT = 1_000;

const ATEXT = 1;
const DOMAIN_CHAR = 2;
const UPPER = 4;
/** One class mask per ASCII code: RFC 5322 §3.2.3 atext, letter-digit-hyphen, upper case. */
const CLASSES = new Uint8Array(128);
for (const char of "!#$%&'*+-/=?^_`{|}~") CLASSES[char.charCodeAt(0)] = ATEXT;
for (let code = 48; code <= 57; code++) CLASSES[code] = ATEXT | DOMAIN_CHAR;
for (let code = 65; code <= 90; code++) CLASSES[code] = ATEXT | DOMAIN_CHAR | UPPER;
for (let code = 97; code <= 122; code++) CLASSES[code] = ATEXT | DOMAIN_CHAR;
CLASSES[45] = ATEXT | DOMAIN_CHAR;

const DOT = 46;
const AT = 64;
const HYPHEN = 45;
const QUESTION = 63;

const CONTROL = /\p{Cc}|\p{Zl}|\p{Zp}/u;
/** Direction overrides and isolates: they make a name read as something other than its characters. */
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;
/** ZWNJ and ZWJ (200C, 200D) stay: Persian and Indic spelling needs them. */
const HIDDEN_IN_LOCAL_PART = /(?![\u200c\u200d])[\p{Cf}\p{Z}\p{Cc}\p{Noncharacter_Code_Point}]/u;
const DOT_ATOM = /^[^\s"(),.:;<>@[\]\\]+(?:\.[^\s"(),.:;<>@[\]\\]+)*$/;
/** Comments, groups, lists and literals: outside quotes these never belong to an address. */
const STRUCTURE = /[()<>[\]:;,]/;
/** What an unquoted display name may not hold: RFC 5322 §3.2.3 specials, but for the dot everybody writes. */
const NAME_SPECIAL = /[()<>[\]:;@\\,"]/;

export function parseMailbox(text: string): ParsedMailbox {
  const plain = scanAddress(text, 0, text.length, null);
  if (plain !== null) return { ok: true, mailbox: plain };
  if (text.length > MAX_TEXT) return refuse(`is longer than ${MAX_TEXT} characters`);
  if (!text.isWellFormed()) return refuse('holds half of a surrogate pair');
  if (CONTROL.test(text)) return refuse('holds a control character or a line break');
  const trimmed = text.trim();
  if (trimmed === '') return refuse('is empty');
  if (trimmed.endsWith('>')) {
    const named = parseNamed(trimmed);
    if (named !== null) return named;
  } else if (trimmed.startsWith('"') || !STRUCTURE.test(trimmed)) {
    const bare = parseAddress(trimmed, null);
    if (bare !== null) return bare;
  }
  return refuse(explain(trimmed));
}

/** Anything between =? and ?=, also what only a lenient reader would decode. */
function holdsEncodedWord(text: string): boolean {
  const start = text.indexOf('=?');
  return start >= 0 && text.lastIndexOf('?=') > start;
}

function refuse(reason: string): ParsedMailbox {
  return { ok: false, reason };
}

/** The common ASCII address in one pass; null means "look closer", not "invalid". */
function scanAddress(text: string, start: number, end: number, name: string | null): Mailbox | null {
  if (end - start > MAX_ADDRESS) return null;
  let at = start;
  let upper = 0;
  let question = false;
  let previous = DOT;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === AT) break;
    if (code === DOT) {
      if (previous === DOT) return null;
    } else {
      const mask = code < 128 ? CLASSES[code] : undefined;
      if (mask === undefined || (mask & ATEXT) === 0) return null;
      upper |= mask;
      if (code === QUESTION) question = true;
    }
    previous = code;
  }
  if (at === end || previous === DOT || at - start > MAX_LOCAL_PART) return null;
  const upperLocal = (upper & UPPER) !== 0;
  upper = 0;
  let labelStart = at + 1;
  let dots = 0;
  previous = DOT;
  for (let i = labelStart; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (previous === DOT || previous === HYPHEN || i - labelStart > MAX_LABEL) return null;
      dots++;
      labelStart = i + 1;
    } else {
      const mask = code < 128 ? CLASSES[code] : undefined;
      if (mask === undefined || (mask & DOMAIN_CHAR) === 0) return null;
      if (code === HYPHEN && previous === DOT) return null;
      upper |= mask;
    }
    previous = code;
  }
  if (dots === 0 || previous === DOT || previous === HYPHEN || end - labelStart > MAX_LABEL) return null;
  const localPart = text.slice(start, at);
  if (question && holdsEncodedWord(localPart)) return null;
  const given = text.slice(at + 1, end);
  const domain = (upper & UPPER) === 0 ? given : given.toLowerCase();
  const address = domain === given ? text.slice(start, end) : `${localPart}@${domain}`;
  return { name, localPart, domain, address, key: upperLocal ? address.toLowerCase() : address, smtpUtf8: false };
}

/** `name <address>`; null when the name is not a phrase. */
function parseNamed(text: string): ParsedMailbox | null {
  const open = text.lastIndexOf('<');
  if (open < 0) return null;
  const before = text.slice(0, open).trim();
  const name = NAME_SPECIAL.test(before) ? readPhrase(before) : before.replace(/ +/g, ' ');
  if (name === null) return null;
  const flaw = nameFlaw(name);
  if (flaw !== null) return refuse(flaw);
  const mailbox = scanAddress(text, open + 1, text.length - 1, name || null);
  if (mailbox !== null) return { ok: true, mailbox };
  return parseAddress(text.slice(open + 1, -1).trim(), name || null);
}

function nameFlaw(name: string): string | null {
  if (name.length > MAX_NAME) return `has a name longer than ${MAX_NAME} characters`;
  if (holdsEncodedWord(name)) return 'has an encoded-word (=?…?=) in its name: write the characters themselves';
  if (BIDI_CONTROL.test(name)) return 'has a text direction override in its name';
  return null;
}

/** Words and quoted strings, in any mix (RFC 5322 §3.2.5); null when something else stands between them. */
function readPhrase(text: string): string | null {
  let phrase = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') {
      quoted = !quoted;
    } else if (quoted && char === '\\') {
      i++;
      phrase += text.charAt(i);
    } else if (quoted) {
      phrase += char;
    } else {
      if (NAME_SPECIAL.test(char)) return null;
      if (char !== ' ' || !phrase.endsWith(' ')) phrase += char;
    }
  }
  return quoted ? null : phrase.trim();
}

/** The content of a whole quoted-string (RFC 5322 §3.2.4); null when it ends early or never. Spaces stay as they are. */
function unquote(text: string): string | null {
  let value = '';
  for (let i = 1; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') return i === text.length - 1 ? value : null;
    if (char === '\\') {
      i++;
      if (i === text.length) return null;
      value += text.charAt(i);
    } else {
      value += char;
    }
  }
  return null;
}

/** An address that is quoted, not ASCII, or wrong in a way that can be named; null when the parts cannot be told apart. */
function parseAddress(text: string, name: string | null): ParsedMailbox | null {
  const at = text.lastIndexOf('@');
  if (at < 0) return refuse('has no @: an address is name@domain');
  const given = text.slice(0, at);
  if (given === '') return refuse('has nothing before the @');
  const local = given.startsWith('"') ? unquote(given) : DOT_ATOM.test(given) ? given : null;
  if (local === null) return null;
  if (local === '') return refuse('has nothing before the @');
  if (holdsEncodedWord(local)) return refuse('has an encoded-word (=?…?=) before the @');
  const smtpUtf8 = /[^\x20-\x7e]/.test(local);
  if (smtpUtf8 && HIDDEN_IN_LOCAL_PART.test(local)) return refuse('has an invisible character before the @');
  const localPart = DOT_ATOM.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`;
  if (Buffer.byteLength(localPart) > MAX_LOCAL_PART)
    return refuse(`has more than ${MAX_LOCAL_PART} octets before the @`);
  const domain = asciiDomain(text.slice(at + 1));
  if (!domain.ok) return domain;
  const address = `${localPart}@${domain.name}`;
  if (Buffer.byteLength(address) > MAX_ADDRESS) return refuse(`is longer than ${MAX_ADDRESS} octets`);
  const key = address.normalize('NFC').toLowerCase();
  return { ok: true, mailbox: { name, localPart, domain: domain.name, address, key, smtpUtf8 } };
}

function explain(text: string): string {
  if (/^[^"<@]*:.*;$/.test(text)) return 'is a group: give each address on its own';
  if (/<[^>]*:/.test(text)) return 'holds a route (<@relay:a@b>)';
  if (/[,;]/.test(text)) return 'holds more than one address, or a name with punctuation that is not in double quotes';
  if (text.includes('(')) return 'has a comment in parentheses';
  if (text.includes('[')) return 'has an IP address in brackets instead of a domain';
  return 'is not an email address';
}
