// Quoted-printable (RFC 2045 §6.7) of a body: the same lines as nodemailer's, at a fifth of its time, since nothing here is
// a string or a regular expression (test/unit/quoted-printable.test.ts compares the two).
import type { Scratch } from './scratch.ts';

/** RFC 2045 §6.7, with the soft line break. */
const LINE = 76;
/** A soft break goes behind a space or a punctuation mark within so much of a full line. */
const MARGIN = Math.floor(LINE / 3);

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const EQUALS = 0x3d;
const HEX = Buffer.from('0123456789ABCDEF');
/** Octets of `=`, CR and LF. */
const SOFT_BREAK = 3;

/** Octets that stand for themselves, white space only where no line ends behind it. Line ends do too. */
const isPlain = Uint8Array.from({ length: 256 }, (_, octet) =>
  (octet >= SPACE && octet <= 0x7e && octet !== EQUALS) || octet === TAB ? 1 : 0,
);
const isBreakable = Uint8Array.from({ length: 256 }, (_, octet) =>
  ' \t.,!?'.includes(String.fromCharCode(octet)) ? 1 : 0,
);

/** Of a body with line ends of any kind; they become CRLF. The answer lies in `scratch`. */
export function quotedPrintable(body: Buffer, scratch: Scratch): Buffer {
  return quotedPrintableWithin(body, 0, scratch) as Buffer;
}

/**
 * Null: more than one in `share` octets would have to be escaped (white space at the end of a line is not counted), so
 * another encoding is shorter. In one pass: lines are cut where they have become too long, which moves some octets of each.
 */
export function quotedPrintableWithin(body: Buffer, share: number, scratch: Scratch): Buffer | null {
  const { length } = body;
  const out = scratch.room(mostOf(length));
  let escapes = 0;
  let lineEnds = 0;
  let to = 0;
  let line = 0;
  for (let at = 0; at < length; at++) {
    // One octet past a full line, so that nothing in it can change any more.
    const full = Math.min(length, at + line + LINE + 1 - to);
    let octet = 0;
    for (; at < full; at++) {
      octet = body[at] as number;
      if (isPlain[octet] !== 1) break;
      out[to++] = octet;
    }
    if (to - line > LINE) {
      line = cut(out, softEnd(out, line, line + LINE), to);
      to += SOFT_BREAK;
      at--;
      continue;
    }
    if (at === length) break;
    if (octet === CR || octet === LF) {
      to = escapeSpace(out, to);
      out[to++] = CR;
      if (to - line > LINE) {
        line = cut(out, softEnd(out, line, line + LINE), to);
        to += SOFT_BREAK;
      }
      out[to++] = LF;
      if (octet === CR && body[at + 1] === LF) at++;
      else lineEnds++;
    } else {
      // Line ends at most double it.
      if (++escapes * share > 2 * length) return given(scratch, out);
      to = writeEscaped(out, to, octet);
    }
    if (to - line > LINE) {
      line = cut(out, softEnd(out, line, line + LINE), to);
      to += SOFT_BREAK;
    }
    if (octet === CR || octet === LF) line = to;
  }
  // Of the body as it is with CRLF.
  if (escapes * share > length + lineEnds) return given(scratch, out);
  to = escapeSpace(out, to);
  // A body that is one line at most is left as it is; else the last line is cut like any other.
  for (let last = to > LINE; last && line < to; ) {
    const end = softEnd(out, line, Math.min(line + LINE, to), to);
    last = end < to;
    if (!last) break;
    line = cut(out, end, to);
    to += SOFT_BREAK;
  }
  return scratch.keep(out, to);
}

/** Nothing of it is kept. */
function given(scratch: Scratch, room: Uint8Array): null {
  scratch.keep(room, 0);
  return null;
}

/** Puts a soft line break at `end`, of what is written up to `to`. Answers where the next line begins. */
function cut(out: Uint8Array, end: number, to: number): number {
  // Some octets: fewer than a call of copyWithin() is worth.
  for (let from = to - 1; from >= end; from--) out[from + SOFT_BREAK] = out[from] as number;
  out[end] = EQUALS;
  out[end + 1] = CR;
  out[end + 2] = LF;
  return end + SOFT_BREAK;
}

/** Relays take white space at the end of a line away. */
function escapeSpace(out: Uint8Array, to: number): number {
  const last = out[to - 1];
  return to > 0 && (last === SPACE || last === TAB) ? writeEscaped(out, to - 1, last) : to;
}

function writeEscaped(out: Uint8Array, to: number, octet: number): number {
  out[to] = EQUALS;
  out[to + 1] = HEX[octet >> 4] ?? 0;
  out[to + 2] = HEX[octet & 15] ?? 0;
  return to + 3;
}

/** Octets at worst: each of them escaped, and each line cut as short as lines are cut. */
function mostOf(body: number): number {
  return 3 * body + SOFT_BREAK * (Math.ceil((3 * body) / (LINE - MARGIN - 12)) + 2);
}

/** Where the line that begins at `from` ends when no line end comes up to `full`; `length`: of all, where that is known. */
function softEnd(text: Uint8Array, from: number, full: number, length = full + 1): number {
  const end = behindBreakable(text, from, full) || behindWholeCharacter(text, from, full, length);
  if (end === length || end - from < LINE) return end;
  // Room for the soft break's own octet.
  return endsEscaped(text, end) ? end - 3 : end - 1;
}

/** 0: nowhere. */
function behindBreakable(text: Uint8Array, from: number, full: number): number {
  if (full - from <= LINE - MARGIN) return 0;
  const least = full - MARGIN;
  for (let at = full - 1; at >= least; at--) if (isBreakable[text[at] as number] === 1) return at + 1;
  return 0;
}

/** An escape is not cut, and neither are those of one character's octets where they fit a line. */
function behindWholeCharacter(text: Uint8Array, from: number, full: number, length: number): number {
  let end = full;
  if (text[end - 1] === EQUALS) end -= 1;
  else if (text[end - 2] === EQUALS) end -= 2;
  while (end - from > 3 && end < length && endsEscaped(text, end) && !isOneCharacter(text, from, end)) {
    const octet = octetOf(text, end);
    if (octet < 0x80) break;
    end -= 3;
    if (octet >= 0xc0) break;
  }
  return end;
}

/** Which octet the escape that ends at `end` stands for. */
function octetOf(text: Uint8Array, end: number): number {
  return HEX.indexOf(text[end - 2] ?? 0) * 16 + HEX.indexOf(text[end - 1] ?? 0);
}

function endsEscaped(text: Uint8Array, end: number): boolean {
  return text[end - 3] === EQUALS;
}

/** Nothing but up to four escapes. */
function isOneCharacter(text: Uint8Array, from: number, end: number): boolean {
  if (end - from > 12 || (end - from) % 3 !== 0) return false;
  for (let at = from; at < end; at += 3) if (text[at] !== EQUALS) return false;
  return true;
}
