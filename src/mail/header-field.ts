// Writes header fields as they go on the wire: ASCII, folded, encoded-words where needed (RFC 5322 §2.2, RFC 2047).

import { encodeWord, foldLines, quoteString } from 'nodemailer/lib/mime-funcs';
import type { StoredAddress } from './content.ts';

/** RFC 5322 §2.2 ftext. */
const NAME = /^[!-9;-~]+$/;
const CONTROL_BUT_TAB = /[\x00-\x08\x0a-\x1f\x7f]/;
/** RFC 5322 §2.1.1 asks for 78; nodemailer folds its own headers at 76. */
const LINE = 76;
/** An encoded-word has at most 75 characters (RFC 2047 §2) and stands behind a field name. */
const WORD = 52;
/** A line may have 998 octets; a longer run without a space can only be carried by encoded-words. */
const MAX_RUN = 900;
/** A name longer than this would make an overlong line when it cannot be folded. */
const MAX_PLAIN_NAME = 60;

const NOT_ASCII = /[^\t\x20-\x7e]/;
/** Readers decode what looks like an encoded-word, and some join what stands between two halves of one: none is left bare. */
const LOOKS_ENCODED = /=\?|\?=/;
/** Folding could lose these or leave a line of nothing but spaces, which RFC 5322 §3.2.2 calls obsolete. */
const FRAGILE_SPACE = /^\s|\s$|\s\s|\t/;
/** Structured fields, whose syntax an encoded-word would break; validation keeps their values ASCII and foldable. */
const STRUCTURED = /^(?:list-.*|in-reply-to|references|message-id)$/i;

/** One field with its CRLF. Throws when the field could end early and begin another: validation comes before. */
export function headerField(name: string, value: string): string {
  if (!NAME.test(name)) throw new RangeError('a header name holds a character that no header name has');
  if (CONTROL_BUT_TAB.test(value)) throw new RangeError(`the value of ${name} holds a line break or control character`);
  const encode =
    NOT_ASCII.test(value) ||
    (!STRUCTURED.test(name) && (LOOKS_ENCODED.test(value) || FRAGILE_SPACE.test(value) || holdsLongRun(value)));
  return `${foldLines(`${name}: ${encode ? encodedWords(value) : value}`, LINE)}\r\n`;
}

/** An address field with its CRLF; nothing when there is no address. Breaks lines only between words, never in an address. */
export function addressField(name: string, addresses: readonly StoredAddress[]): string {
  if (addresses.length === 0) return '';
  let field = `${name}:`;
  let line = field.length;
  addresses.forEach((address, index) => {
    const words = mailboxWords(address);
    words.forEach((word, position) => {
      const last = position === words.length - 1 && index < addresses.length - 1;
      const piece = last ? `${word},` : word;
      const fits = line + 1 + piece.length <= LINE;
      field += fits ? ` ${piece}` : `\r\n ${piece}`;
      line = (fits ? line : 0) + 1 + piece.length;
    });
  });
  return `${field}\r\n`;
}

function mailboxWords({ name, address }: StoredAddress): readonly string[] {
  if (CONTROL_BUT_TAB.test(address) || (name !== null && CONTROL_BUT_TAB.test(name)))
    throw new RangeError('an address holds a line break or control character');
  // A quoted local part may hold commas and spaces: only the brackets keep it one address for every reader.
  if (name === null || name === '') return [/["\s]/.test(address) ? `<${address}>` : address];
  const bracketed = `<${address}>`;
  if (NOT_ASCII.test(name) || name.includes('=?') || FRAGILE_SPACE.test(name) || name.length > MAX_PLAIN_NAME)
    return [...encodedWords(name).split(' '), bracketed];
  return [/^[\w ]+$/.test(name) ? name : quoteString(name), bracketed];
}

function holdsLongRun(value: string): boolean {
  return value.length > MAX_RUN && value.split(' ').some((run) => run.length > MAX_RUN);
}

/** Quoted-printable keeps mostly Latin text readable in sources; base64 is shorter for everything else. */
function encodedWords(value: string): string {
  let letters = 0;
  let others = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code >= 0x80) others++;
    else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) letters++;
  }
  return encodeWord(value, others < letters ? 'Q' : 'B', WORD);
}
