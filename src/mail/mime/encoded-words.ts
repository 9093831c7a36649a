// RFC 2047: text of header fields that is past ASCII. Lenient where senders are wrong: words inside of other text, spaces
// in them, characters that are cut in two between words.
import { decodeText, isCharset } from './charset.ts';
import { hexPair } from './hex.ts';

/** Linear: what a word holds has no question mark, so no two tries look at the same text. */
const WORD = /=\?([^?\s]{1,60})\?([bBqQ])\?([^?\n]*)\?=/g;

const EQUALS = 0x3d;

interface Run {
  charset: string;
  encoding: 'B' | 'Q';
  /** Each word's octets, decoded. */
  parts: Buffer[];
}

export function decodeWords(text: string): string {
  if (!text.includes('=?')) return text;
  let out = '';
  let last = 0;
  let run: Run | null = null;
  for (const match of text.matchAll(WORD)) {
    const [whole, label = '', encoding = '', content = ''] = match;
    // RFC 2231 §5: a language may stand behind the charset.
    const charset = label.split('*', 1)[0] ?? '';
    if (!isCharset(charset) && !/^(?:us-)?ascii$/i.test(charset)) continue;
    const between = text.slice(last, match.index);
    const kind = encoding.toUpperCase() === 'B' ? 'B' : 'Q';
    // White space between words is not part of the text (RFC 2047 §6.2).
    if (run !== null && /\S/.test(between)) {
      out += flush(run);
      run = null;
    }
    if (run === null) out += between;
    // A character may be cut in two by words of the same charset; words with different ones are texts of their own.
    if (run !== null && run.charset.toLowerCase() !== charset.toLowerCase()) {
      out += flush(run);
      run = null;
    }
    run ??= { charset, encoding: kind, parts: [] };
    run.parts.push(kind === 'B' ? Buffer.from(content, 'base64') : fromQ(content));
    last = match.index + whole.length;
  }
  if (run !== null) out += flush(run);
  return out + text.slice(last);
}

/** Together: what was cut in two between words is whole again, in stateful charsets too. */
function flush({ charset, parts }: Run): string {
  const octets = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  return decodeText(octets, charset).replace(/\r\n?|\n|\0/g, ' ');
}

/** Octet by octet: a subject can have 200,000 of them. */
function fromQ(content: string): Buffer {
  const bytes = Buffer.from(content.includes('_') ? content.replaceAll('_', ' ') : content);
  if (!bytes.includes(EQUALS)) return bytes;
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const value = byte === EQUALS ? hexPair(bytes[at + 1], bytes[at + 2]) : -1;
    if (value >= 0) at += 2;
    bytes[to++] = value >= 0 ? value : byte;
  }
  return bytes.subarray(0, to);
}
