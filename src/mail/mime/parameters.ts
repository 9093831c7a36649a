// Content-Type and Content-Disposition: a value and its parameters, with RFC 2231's continuations and charsets, and the
// many ways in which both are written wrong.
import { decodeText } from './charset.ts';
import { withoutComments } from './comments.ts';
import { decodeWords } from './encoded-words.ts';
import { hexPair } from './hex.ts';

export interface ParametrisedValue {
  /** Lower case: `text/plain`, `attachment`. */
  readonly value: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A file name in nine pieces is known from the world; a header with 100,000 is an attack. */
const MAX_PARAMETERS = 200;
const MAX_SECTION = 999;

interface Section {
  readonly value: string;
  readonly encoded: boolean;
}

export function parseParametrised(source: string): ParametrisedValue {
  const semicolon = source.indexOf(';');
  const head = semicolon < 0 ? source : source.slice(0, semicolon);
  // A file name may hold brackets; the type itself has them only for comments.
  const text = head.includes('(') ? withoutComments(head).trim() + source.slice(head.length) : source;
  const end = text.search(/[;\s]/);
  // `application/pdf name="x"`: the semicolon was forgotten. `text / plain` has blanks instead.
  const spaced = /^\s*([^\s;/="]+)\s*\/\s*([^\s;/="]+)/.exec(text.slice(0, 300));
  const value = spaced === null ? text.slice(0, end < 0 ? text.length : end) : `${spaced[1]}/${spaced[2]}`;
  const from = spaced === null ? (end < 0 ? text.length : end) : spaced[0].length;
  const plain = new Map<string, string>();
  const sections = new Map<string, Map<number, Section>>();
  for (const [name, content] of pairs(text, from)) {
    const star = name.indexOf('*');
    if (star < 0) {
      if (!plain.has(name)) plain.set(name, content);
      continue;
    }
    const match = /^(\d{1,3})?(\*)?$/.exec(name.slice(star + 1).replace(/^\*$/, '*'));
    const whole = name.slice(star + 1) === '';
    if (match === null) continue;
    const base = name.slice(0, star);
    const number = whole || match[1] === undefined ? 0 : Math.min(Number(match[1]), MAX_SECTION);
    const of = sections.get(base) ?? new Map<number, Section>();
    if (!of.has(number)) of.set(number, { value: content, encoded: whole || match[2] !== undefined });
    sections.set(base, of);
  }
  const parameters = new Map([...plain].map(([name, content]) => [name, decodeWords(content)]));
  for (const [name, of] of sections) parameters.set(name, joinSections(of));
  return { value: value.trim().toLowerCase(), parameters };
}

/** Pairs in their order. By hand: quotes hold semicolons, and are left open. */
function* pairs(text: string, from: number): Generator<[string, string]> {
  let at = from;
  for (let count = 0; count < MAX_PARAMETERS && at < text.length; count++) {
    while (at < text.length && /[;\s]/.test(text.charAt(at))) at++;
    const start = at;
    while (at < text.length && !/[=;]/.test(text.charAt(at))) at++;
    if (text.charAt(at) !== '=') continue;
    const name = text.slice(start, at).trim().toLowerCase();
    at++;
    while (at < text.length && /\s/.test(text.charAt(at))) at++;
    const [value, end] = text.charAt(at) === '"' ? quoted(text, at) : bare(text, at);
    at = end;
    if (name !== '' && name.length <= 100) yield [name.split(/\s/).at(-1) ?? name, value];
  }
}

/** A quote that is never closed ends with the next semicolon before another parameter. */
function quoted(text: string, start: number): [string, number] {
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\' && /["\\]/.test(text.charAt(at + 1))) {
      value += text.charAt(at + 1);
      at++;
    } else if (char === '"') return [value, at + 1];
    else value += char;
  }
  const rest = text.slice(start + 1);
  const next = /;\s*[A-Za-z*\d-]{1,40}=/.exec(rest);
  return next === null ? [rest.trim(), text.length] : [rest.slice(0, next.index).trim(), start + 1 + next.index];
}

/** Up to the semicolon, with blanks and everything: file names are written so. */
function bare(text: string, start: number): [string, number] {
  const semicolon = text.indexOf(';', start);
  const end = semicolon < 0 ? text.length : semicolon;
  const value = text.slice(start, end);
  // `a=b c="d"`: the semicolon was forgotten.
  const next = /\s[A-Za-z][\w*-]{0,40}=(?=")/.exec(value);
  return next === null ? [value.trim(), end] : [value.slice(0, next.index).trim(), start + next.index];
}

/** RFC 2231 §3 and §4: sections in the order of their numbers until one is missing; the first names the charset. */
function joinSections(sections: ReadonlyMap<number, Section>): string {
  const numbers = [...sections.keys()].sort((a, b) => a - b);
  let charset = '';
  const octets: Buffer[] = [];
  for (const [index, number] of numbers.entries()) {
    const section = sections.get(number);
    if (section === undefined || (index > 0 && number !== (numbers[index - 1] ?? 0) + 1)) break;
    let { value } = section;
    if (section.encoded && index === 0) {
      const match = /^([^']{0,60})'[^']{0,60}'/.exec(value);
      if (match !== null) {
        charset = match[1] ?? '';
        value = value.slice(match[0].length);
      }
    }
    octets.push(section.encoded ? fromPercent(value) : Buffer.from(decodeWords(value)));
  }
  return decodeText(Buffer.concat(octets), charset === '' ? null : charset);
}

function fromPercent(text: string): Buffer {
  const bytes = Buffer.from(text);
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const value = byte === 0x25 ? hexPair(bytes[at + 1], bytes[at + 2]) : -1;
    if (value >= 0) at += 2;
    bytes[to++] = value >= 0 ? value : byte;
  }
  return bytes.subarray(0, to);
}
