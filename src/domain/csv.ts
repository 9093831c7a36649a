// Comma-separated values after RFC 4180, read from bytes record by record: from any offset where a record begins, so that a
// long file can be worked off in pieces. Strict about quotes, since what two programs read differently suppresses the wrong
// address; lenient about line ends (CRLF, LF, CR), which nobody reads differently.
import { isUtf8 } from 'node:buffer';

export interface CsvRecord {
  readonly kind: 'record';
  /** What is written there; whatever could be read where there is a flaw. */
  readonly fields: readonly string[];
  /** Why this record cannot be used, though what follows can. */
  readonly flaw: string | null;
  /** Where the next record begins. */
  readonly next: number;
  /** Line ends within it, its own included. */
  readonly lines: number;
}

export type CsvRead =
  | CsvRecord
  /** It goes on after the bytes at hand. */
  | { readonly kind: 'more' }
  /** Where the record ends nobody can tell, so nothing that follows can be read. */
  | { readonly kind: 'fault'; readonly message: string };

/** An address, a note and what a provider adds take some hundred bytes. An unclosed quote must not swallow the file. */
export const MAX_RECORD_BYTES = 16_384;
/** Exports of providers have up to a dozen. */
const MAX_FIELDS = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const CR = 0x0d;
const LF = 0x0a;

/** `last`: nothing comes after `bytes`. */
export function readRecord(bytes: Buffer, start: number, last: boolean): CsvRead {
  const fields: string[] = [];
  let flaw: string | null = null;
  let at = start;
  for (;;) {
    const field = bytes[at] === QUOTE ? readQuoted(bytes, at) : readPlain(bytes, at);
    const end = field?.end ?? bytes.length;
    if (end - start > MAX_RECORD_BYTES) return { kind: 'fault', message: tooLong };
    // A quote at the end may be the first half of an escaped one, and a CR the first half of a line end.
    const isCut = field === null || end === bytes.length || (bytes[end] === CR && end + 1 === bytes.length);
    if (isCut && !last) return { kind: 'more' };
    if (field === null) return { kind: 'fault', message: 'a quoted field is never closed' };
    flaw ??= field.flaw;
    if (fields.length < MAX_FIELDS) fields.push(field.text);
    else flaw ??= `has more than ${MAX_FIELDS} fields`;
    if (bytes[end] === COMMA) {
      at = end + 1;
      continue;
    }
    const next = afterLineEnd(bytes, end);
    const record = bytes.subarray(start, next);
    // UTF-16 without its mark has one in every other place.
    if (!isUtf8(record) || record.includes(0)) flaw = 'is not UTF-8';
    return { kind: 'record', fields, flaw, next, lines: countLines(record) };
  }
}

const tooLong = `is longer than ${MAX_RECORD_BYTES} bytes; is a quote missing?`;

interface Field {
  readonly text: string;
  readonly flaw: string | null;
  /** The comma or line end after it, or the end of the bytes. */
  readonly end: number;
}

function readPlain(bytes: Buffer, start: number): Field {
  const end = endOfField(bytes, start);
  const text = bytes.toString('utf8', start, end);
  return { text, flaw: text.includes('"') ? 'has a quote inside a field that is not quoted' : null, end };
}

/** Null: it is not closed within the bytes. */
function readQuoted(bytes: Buffer, start: number): Field | null {
  for (let from = start + 1; ; ) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote === -1 || quote - start > MAX_RECORD_BYTES) return null;
    if (bytes[quote + 1] === QUOTE) {
      from = quote + 2;
      continue;
    }
    const text = bytes.toString('utf8', start + 1, quote).replaceAll('""', '"');
    const end = endOfField(bytes, quote + 1);
    return { text, flaw: end === quote + 1 ? null : 'has text after a quoted field', end };
  }
}

function endOfField(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== COMMA && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

function afterLineEnd(bytes: Buffer, at: number): number {
  if (at >= bytes.length) return bytes.length;
  return bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : at + 1;
}

function countLines(record: Buffer): number {
  let lines = 0;
  for (let at = 0; at < record.length; at++) {
    if (record[at] === LF || (record[at] === CR && record[at + 1] !== LF)) lines++;
  }
  return lines;
}

/** What a spreadsheet would take for a formula, and run. */
const FORMULA = /^'*[=+\-@\t\r]/;

/** A leading apostrophe makes it text for a spreadsheet; `unguarded` takes it off again. */
export function guarded(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

export function unguarded(text: string): string {
  return text.startsWith("'") && FORMULA.test(text) ? text.slice(1) : text;
}

/** With its line end. */
export function csvLine(fields: readonly string[]): string {
  const written = fields.map((field) => {
    const text = guarded(field);
    return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${written.join(',')}\r\n`;
}
