// Files of suppressions: which columns count, what a row says, and what they may come to.
import { csvLine, type CsvRead, readRecord, unguarded } from './csv.ts';
import { type Mailbox, parseMailbox } from './email-address.ts';
import type { SuppressionReason } from './errors.ts';
import { MAX_SUPPRESSION_NOTE } from './suppression.ts';

/** Half a million addresses with reason and date; larger lists come in several files. Kept only until it is worked off. */
export const MAX_IMPORT_BYTES = 20_000_000;
/** In which a file is stored: a batch of rows is in one of them or two, and neither side holds more at a time. */
export const PIECE_BYTES = 65_536;
/** Rows of one transaction: with their events some 50 ms, for which followers of the log wait. */
export const IMPORT_BATCH = 500;
/** Enough to see what is wrong with a file; the rest is counted. */
export const MAX_IMPORT_PROBLEMS = 100;
/** Of an account: one for each of its lists, and files that wait for nothing hold 20 MB each. */
export const MAX_OPEN_IMPORTS = 10;
/** Time to send 20 MB over a poor line, and to do so again. */
export const UPLOAD_MINUTES = 60;
/** As long as a person takes to click, or a program to fetch. */
export const EXPORT_MINUTES = 15;
/** How an import came out is asked soon or never; the audit log remembers that it was. */
export const IMPORT_KEPT_DAYS = 30;

/** Where in a row each thing stands. */
export interface Columns {
  readonly address: number;
  readonly reason: number | null;
  readonly note: number | null;
  readonly count: number;
}

/** As providers call them in their exports (ours, Postmark, SendGrid, Mailgun, SES), without case and what is no letter. */
const names = {
  address: ['address', 'email', 'emailaddress', 'recipient'],
  reason: ['reason', 'suppressionreason'],
  note: ['note'],
} as const;

export type Header =
  | { readonly ok: true; readonly columns: Columns; readonly next: number; readonly lines: number }
  | { readonly ok: false; readonly flaw: string };

/** `bytes`: the file's first, more than a record has, or all of them. */
export function readHeader(bytes: Buffer): Header {
  const start = bytes.subarray(0, 3).equals(BOM) ? BOM.length : 0;
  const read = readRecord(bytes, start, true);
  if (read.kind !== 'record') return { ok: false, flaw: read.kind === 'fault' ? read.message : 'is cut' };
  if (read.flaw !== null) return { ok: false, flaw: read.flaw };
  const found = read.fields.map((name) => name.toLowerCase().replace(/[^a-z]/g, ''));
  const placeOf = (known: readonly string[]) => {
    const place = found.findIndex((name) => known.includes(name));
    return place === -1 ? null : place;
  };
  const address = placeOf(names.address);
  if (address === null)
    return { ok: false, flaw: `must name the columns, one of them ${names.address.join(', ')}; separated by commas` };
  const columns = { address, reason: placeOf(names.reason), note: placeOf(names.note), count: found.length };
  return { ok: true, columns, next: read.next, lines: read.lines };
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

export interface ImportedRow {
  readonly mailbox: Mailbox;
  readonly reason: SuppressionReason;
  readonly note: string | null;
}

/** Null: an empty row, as spreadsheets leave at the end. A string: why it says nothing usable. */
export function readRow({ fields, flaw }: Extract<CsvRead, { kind: 'record' }>, columns: Columns) {
  if (flaw !== null) return flaw;
  if (fields.every((field) => field.trim() === '')) return null;
  if (fields.length > columns.count) return `has ${fields.length} fields, more than the ${columns.count} of the header`;
  const at = (place: number | null) => (place === null ? '' : unguarded(fields[place] ?? ''));
  const parsed = parseMailbox(at(columns.address));
  if (!parsed.ok) return `the address ${parsed.reason}`;
  const row: ImportedRow = {
    mailbox: parsed.mailbox,
    reason: reasonOf(at(columns.reason)),
    note: noteOf(at(columns.note)),
  };
  return row;
}

/**
 * A complaint that another system saw is the customer's word, which the customer may take back: MANUAL, as is every text
 * that is no word of ours.
 */
function reasonOf(text: string): SuppressionReason {
  const word = text.toLowerCase().replace(/[^a-z]/g, '');
  if (/^(?:hard)?bounced?$/.test(word)) return 'HARD_BOUNCE';
  return /^unsubscribed?$/.test(word) ? 'UNSUBSCRIBE' : 'MANUAL';
}

/** What a note cannot hold is left out of it: the address counts. */
function noteOf(text: string): string | null {
  const line = text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line === '' ? null : line.slice(0, MAX_SUPPRESSION_NOTE).toWellFormed();
}

export interface Problem {
  readonly line: number;
  readonly message: string;
}

export interface ImportBatch {
  readonly rows: readonly ImportedRow[];
  /** Rows that say something, refused ones included. */
  readonly read: number;
  readonly problems: readonly Problem[];
  /** How far it came in the file. */
  readonly next: number;
  readonly line: number;
  /** Nothing after this place can be read. */
  readonly fault: Problem | null;
}

/** The next rows from `from` on. `bytes` stand at `base` in the file, and are its end if `last`. */
export function readBatch(
  { bytes, base, last }: { readonly bytes: Buffer; readonly base: number; readonly last: boolean },
  from: { readonly offset: number; readonly line: number },
  columns: Columns,
): ImportBatch {
  const rows: ImportedRow[] = [];
  const problems: Problem[] = [];
  let at = from.offset - base;
  let { line } = from;
  let fault: Problem | null = null;
  // Empty rows count here, or a file of them would be one batch.
  for (let records = 0; records < IMPORT_BATCH && at < bytes.length; records++) {
    const record = readRecord(bytes, at, last);
    if (record.kind === 'more') break;
    if (record.kind === 'fault') {
      fault = { line, message: record.message };
      break;
    }
    const row = readRow(record, columns);
    if (typeof row === 'string') problems.push({ line, message: row });
    else if (row !== null) rows.push(row);
    at = record.next;
    line += record.lines;
  }
  return { rows, read: rows.length + problems.length, problems, next: base + at, line, fault };
}

export const EXPORT_HEADER = csvLine(['address', 'reason', 'origin', 'created_at', 'note']);
