// The From field of a message that came as one. Stricter than reading: the address that is judged here must be the one
// that every receiver shows, so what two readers could read as two senders is refused.
import { parseMailbox, type ParsedMailbox } from '#/domain/email-address.ts';
import { decodeWords } from '../mime/encoded-words.ts';

/** RFC 5322 §3.2.3 without the dot: outside of quotes none of these belongs to a name. */
const SPECIAL = /[()<>[\]:;@\\,"]/;
const QUOTED = /"(?:[^"\\]|\\.)*"/gs;
const ENCODED = /=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?=/g;
/** What old programs write: `root@host.example (Cron Daemon)`. */
const COMMENTED = /^([^\s<>()",;:]+@[^\s<>()",;:]+)[ \t]+\(([^()\\]*)\)$/;

/** A name of 255 characters in encoded-words of one each. */
const MAX_VALUE = 5_000;

/** `value` unfolded and trimmed. */
export function readFromField(value: string): ParsedMailbox {
  if (value.length > MAX_VALUE) return { ok: false, reason: `is longer than ${MAX_VALUE} characters` };
  const commented = COMMENTED.exec(value);
  if (commented !== null) return named(decodeWords(commented[2] ?? ''), commented[1] ?? '');
  const open = value.lastIndexOf('<');
  if (!value.endsWith('>') || open < 0) return parseMailbox(value);
  const phrase = value.slice(0, open).trim();
  const address = value.slice(open + 1, -1);
  if (phrase === '') return parseMailbox(value);
  if (SPECIAL.test(phrase.replace(QUOTED, '').replace(ENCODED, '')))
    return { ok: false, reason: 'holds more than one name and one <address>' };
  const text = phrase.replace(QUOTED, (quoted) => quoted.slice(1, -1).replace(/\\(.)/gs, '$1'));
  return named(decodeWords(text), address);
}

function named(name: string, address: string): ParsedMailbox {
  return parseMailbox(`"${name.replace(/["\\]/g, '\\$&')}" <${address}>`);
}
