// Octets to text, for reports whose senders did not read the standards: transfer encodings, charsets and HTML, each in one
// pass over bounded input, and never an error.
import { trimBlanks } from '../blanks.ts';
import { decodeText, isCharset } from '../mime/charset.ts';
import { hexPair } from '../mime/hex.ts';

const EQUALS = 0x3d;

/** Octets as characters of the same number, with every line end (CRLF, LF, CR) as one LF. */
export function octetText(source: Uint8Array, limit: number): string {
  const length = Math.min(source.length, limit);
  const text = Buffer.from(source.buffer, source.byteOffset, length).toString('latin1');
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/** Undoes a Content-Transfer-Encoding; the result holds octets, its line ends are LF. */
export function decodeTransfer(body: string, encoding: string): string {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      // Node skips what is not of the alphabet, line ends and the odd trailer included.
      return normalLines(Buffer.from(body, 'base64').toString('latin1'));
    case 'quoted-printable':
      return normalLines(decodeQuotedPrintable(body));
    default:
      return body;
  }
}

function normalLines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

function decodeQuotedPrintable(body: string): string {
  if (!body.includes('=')) return body;
  // In place: a call for each of 20,000 octets takes the time of everything else together.
  const octets = Buffer.from(body.replace(/=[ \t]{0,64}\n/g, ''), 'latin1');
  let to = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] as number;
    const value = octet === EQUALS ? hexPair(octets[at + 1], octets[at + 2]) : -1;
    if (value >= 0) at += 2;
    octets[to++] = value >= 0 ? value : octet;
  }
  return octets.toString('latin1', 0, to);
}

const JAPANESE = /^(?:iso-2022-jp|euc-jp|shift_jis|cp932|x-sjis|x-euc)/;

/** Octets to characters by the declared charset; where that cannot be right, by the one that fits. */
export function decodeCharset(octets: string, declared: string): string {
  const label = declared.trim().toLowerCase();
  if (!PAST_ASCII.test(octets)) {
    if (SEVEN_BITS.test(label) && isCharset(label)) return decodeAs(octets, label);
    return octets.includes('\x1b$') ? decodeAs(octets, 'iso-2022-jp') : octets;
  }
  const text = label === '' || label === 'us-ascii' || !isCharset(label) ? null : decodeAs(octets, label);
  if (text !== null && !text.includes('\ufffd')) return text;
  const guesses = JAPANESE.test(label) ? ['utf-8', 'euc-jp', 'shift_jis'] : ['utf-8'];
  for (const guess of guesses) {
    const read = decodeAs(octets, guess);
    if (!read.includes('\ufffd')) return read;
  }
  return text ?? decodeAs(octets, 'windows-1252');
}

/** These say with ASCII alone what is none: UTF-7 of old Exchange, the stateful ones of East Asia. */
const SEVEN_BITS = /utf-7|^hz-gb|^iso-2022-/;
const PAST_ASCII = /[\x80-\xff]/;

function decodeAs(octets: string, charset: string): string {
  return decodeText(Buffer.from(octets, 'latin1'), charset);
}

/** RFC 2047 in a field's value: what is no valid encoded word stays as it is. */
export function decodeWords(value: string): string {
  if (!value.includes('=?')) return decodeCharset(value, 'utf-8');
  return value
    .replace(/(\?=)[ \t\n]{1,64}(?==\?)/g, '$1')
    .replace(
      /=\?([\w-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\s]{0,400})\?=/gi,
      (_, charset: string, encoding: string, data: string) => {
        const octets =
          encoding.toLowerCase() === 'b'
            ? Buffer.from(data, 'base64').toString('latin1')
            : decodeQuotedPrintable(data.replaceAll('_', ' '));
        return decodeCharset(octets, charset);
      },
    );
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: ' ' };

/** What a reader of HTML sees, roughly: enough to find addresses and reasons. A "tag" with an @ is an unescaped address. */
export function htmlToText(html: string): string {
  return withoutElements(html)
    .split('\n')
    .map(trimBlanks)
    .join(' ')
    .replace(/<\/?(?:p|br|div|tr|li|h[1-6]|table|hr|ul|pre|td)\b[^<>]{0,4000}>/gi, (tag) =>
      /^<\/?td/i.test(tag) ? ' ' : '\n',
    )
    .replace(/<[^<>]{0,4000}>/g, (tag) => (/^<[^\s<>="]{1,200}@[^\s<>="]{1,200}>$/.test(tag) ? tag : ''))
    .replace(/&(?:([a-z]{2,5})|#(\d{1,6})|#x([0-9a-f]{1,5}));/gi, entity);
}

function entity(whole: string, name?: string, decimal?: string, hex?: string): string {
  if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
  const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
  if (point === 160) return ' ';
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
}

/** Without what is not shown; found by searching for the ends, so that a thousand openings cost no more than one. */
function withoutElements(html: string): string {
  let text = html;
  for (const name of ['style', 'script', 'head'] as const) {
    const lower = text.toLowerCase();
    const start = lower.indexOf(`<${name}`);
    if (start < 0) continue;
    const end = lower.lastIndexOf(`</${name}>`);
    if (end > start && (name !== 'style' || end - start < 40_000))
      text = text.slice(0, start) + text.slice(end + name.length + 3);
  }
  return text;
}
