// Header fields, read from text of octets (see text.ts) with all the faults that reports bring: folded, interrupted, without
// names, far too many. What is beyond the limits is left out.
import { decodeCharset } from './text.ts';

export interface Field {
  readonly name: string;
  readonly value: string;
}

/** More than any honest message has; a mailing list's with all its ARC and X- fields has about 150. */
export const MAX_FIELDS = 500;
const MAX_VALUE = 4_000;
/** Octets of a header: servers refuse far less. */
const MAX_HEADER = 256 * 1_024;
const FIELD = /^([!-9;-~]{1,100})[ \t]{0,8}:(.*)$/s;
const PLAIN_FIELD = /^[A-Za-z][A-Za-z0-9-]{0,70}:/;

export interface HeaderBlock {
  readonly fields: readonly Field[];
  /** Where the body starts. */
  readonly end: number;
}

/** Reads fields from `start` until an empty line, or until what cannot be one. */
export function readFields(text: string, start = 0): HeaderBlock {
  const fields: { name: string; value: string }[] = [];
  let at = start;
  let open: { name: string; value: string } | null = null;
  while (at < text.length && at - start < MAX_HEADER) {
    const lineEnd = endOfLine(text, at);
    const line = text.slice(at, Math.min(lineEnd, at + MAX_VALUE + 100));
    if (line.trim() === '' && (line === '' || !continues(text, lineEnd + 1))) return { fields, end: lineEnd + 1 };
    if (/^[ \t]/.test(line)) {
      if (open !== null && open.value.length < MAX_VALUE) open.value += ` ${line.trim()}`;
    } else {
      const field = FIELD.exec(line);
      if (field !== null) {
        open = { name: (field[1] ?? '').toLowerCase(), value: (field[2] ?? '').trim().slice(0, MAX_VALUE) };
        if (fields.length < MAX_FIELDS) fields.push(open);
      } else if (!(/^>?From /.test(line) || continues(text, lineEnd + 1))) {
        // Neither a field nor before one: a header that ran into its body.
        return { fields, end: at };
      } else open = null;
    }
    at = lineEnd + 1;
  }
  return { fields, end: Math.min(at, text.length) };
}

/** Does a field with a name of letters start here? Then a line of rubbish before it ends no header. */
function continues(text: string, at: number): boolean {
  return PLAIN_FIELD.test(text.slice(at, at + 80));
}

export function endOfLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found;
}

export function valueOf(fields: readonly Field[], name: string): string {
  return fields.find((field) => field.name === name)?.value ?? '';
}

export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

/** As characters: octets past ASCII are UTF-8 in most fields today. */
export function asCharacters({ name, value }: Field): Field {
  return { name, value: decodeCharset(value, 'utf-8') };
}

export interface MediaType {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
}

/** `multipart/report; boundary="x"; report-type=delivery-status`, with comments, missing quotes and RFC 2231 pieces. */
export function readMediaType(value: string): MediaType {
  const semicolon = value.indexOf(';');
  const type = (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
  const params = new Map<string, string>();
  if (semicolon < 0) return { type, params };
  const pattern =
    /;?\s{0,20}([\w-]{1,40})(?:\*(\d{1,2}))?\*?\s{0,5}=\s{0,5}(?:"((?:[^"\\]|\\.){0,1000})"?|([^;\s"]{1,1000}))/g;
  for (const [, name = '', piece, quoted, bare] of value.slice(semicolon).matchAll(pattern)) {
    const key = name.toLowerCase();
    const text = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
    if (piece !== undefined && params.has(key)) params.set(key, (params.get(key) ?? '') + text);
    else if (!params.has(key)) params.set(key, text);
  }
  return { type, params };
}
