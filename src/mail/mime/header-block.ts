// Reads the header of a message or of a part: fields, unfolded, as they stand there (still encoded).
import type { MimeDefect, MimeLimits } from './limits.ts';

export interface HeaderField {
  readonly name: string;
  /** Lower case. */
  readonly key: string;
  /** Unfolded and trimmed; encoded-words are still in it. Octets past ASCII are read as UTF-8 (RFC 6532). */
  readonly value: string;
}

export interface HeaderBlock {
  readonly fields: readonly HeaderField[];
  /** Where the body begins. */
  readonly end: number;
}

/** What all header blocks of a message share. */
export interface HeaderBudget {
  octets: number;
  readonly limits: MimeLimits;
  readonly defects: Set<MimeDefect>;
}

const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;
const HYPHEN = 0x2d;
/** A name of more octets is no name but text with a colon in it. */
const MAX_NAME = 200;
/** How far one looks ahead for another field behind a line that is none. */
const LOOK_AHEAD = 5;

interface OpenField {
  readonly start: number;
  readonly colon: number;
  end: number;
}

/**
 * `isDelimiter` tells whether the line at a position ends the part: a header need not be closed by an empty line.
 * A line in the midst of fields that is none is taken as the rest of a field that waits for more (`a; b;`), for senders
 * who fold without a space, and else left out; where no field follows, the body begins with it.
 */
export function readHeaderBlock(
  bytes: Buffer,
  start: number,
  budget: HeaderBudget,
  isDelimiter: (lineStart: number, lineEnd: number) => boolean,
): HeaderBlock {
  const open: OpenField[] = [];
  let at = start;
  let seen = 0;
  // What folds belong to is no field.
  let lost = false;
  const { limits } = budget;
  while (at < bytes.length) {
    const lineEnd = endOfLine(bytes, at);
    if (lineEnd === at) return { fields: close(bytes, open), end: at + 1 };
    const first = bytes[at] as number;
    if (first === HYPHEN && isDelimiter(at, lineEnd)) break;
    const folded = first === SPACE || first === TAB;
    const last = open.at(-1);
    const colon = folded && last !== undefined ? -1 : colonOf(bytes, at, lineEnd);
    if (folded && lost) {
      at = lineEnd + 1;
      continue;
    }
    if (colon >= 0) {
      lost = false;
      seen++;
      if (seen > limits.maxFields) budget.defects.add('TOO_MANY_HEADERS');
      else if (budget.octets + lineEnd - at > limits.maxHeaders) budget.defects.add('HEADER_TOO_LONG');
      else open.push({ start: at, colon, end: lineEnd });
      budget.octets += Math.min(lineEnd - at, limits.maxField);
    } else if (folded || (last !== undefined && fieldFollows(bytes, lineEnd + 1, isDelimiter))) {
      lost = !folded && !goesOn(bytes, last);
      if (last !== undefined && seen <= limits.maxFields && !lost) {
        const grown = lineEnd - last.end;
        if (lineEnd - last.start <= limits.maxField && budget.octets + grown <= limits.maxHeaders) last.end = lineEnd;
        else budget.defects.add('HEADER_TOO_LONG');
        budget.octets += Math.min(grown, limits.maxField);
      }
    } else if (!(at === start && isMboxLine(bytes, at))) {
      break;
    }
    at = lineEnd + 1;
  }
  return { fields: close(bytes, open), end: Math.min(at, bytes.length) };
}

function goesOn(bytes: Buffer, field: OpenField | undefined): boolean {
  return (
    field !== undefined && /[;,]\s*$/.test(bytes.toString('latin1', Math.max(field.start, field.end - 20), field.end))
  );
}

function close(bytes: Buffer, open: readonly OpenField[]): HeaderField[] {
  return open.map(({ start, colon, end }) => {
    const name = bytes.toString('latin1', start, colon).trim();
    return { name, key: name.toLowerCase(), value: unfold(bytes.toString('utf8', colon + 1, end)) };
  });
}

/** Folds become their white space; what could end a line or a string elsewhere becomes a space. */
function unfold(text: string): string {
  return (/[\r\n\0]/.test(text) ? text.replace(/\n(?=[ \t])/g, '').replace(/[\r\n\0]/g, ' ') : text).trim();
}

export function endOfLine(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(LF, at);
  return end < 0 ? bytes.length : end;
}

/** Position of the colon behind a field's name; -1 where there is none. A space before it is forgiven, as all do. */
function colonOf(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  const name = at;
  const limit = Math.min(end, at + MAX_NAME);
  for (; at < limit; at++) {
    const byte = bytes[at] as number;
    if (byte === COLON) return at > name ? at : -1;
    if (byte <= SPACE || byte > 0x7e) break;
  }
  if (at === name) return -1;
  while (at < limit && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at < limit && bytes[at] === COLON ? at : -1;
}

function fieldFollows(bytes: Buffer, from: number, isDelimiter: (start: number, end: number) => boolean): boolean {
  let at = from;
  for (let lines = 0; lines < LOOK_AHEAD && at < bytes.length; lines++) {
    const end = endOfLine(bytes, at);
    if (end === at || (bytes[at] === HYPHEN && isDelimiter(at, end))) return false;
    const first = bytes[at];
    if (first !== SPACE && first !== TAB && colonOf(bytes, at, end) >= 0) return true;
    at = end + 1;
  }
  return false;
}

/** The separator line of an mbox file, also where it was quoted. */
function isMboxLine(bytes: Buffer, at: number): boolean {
  const start = bytes.toString('latin1', at, at + 6);
  return start.startsWith('From ') || start === '>From ';
}
