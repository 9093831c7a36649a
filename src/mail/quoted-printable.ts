// Quoted-printable (RFC 2045 §6.7) of a body with canonical line ends: the same lines as nodemailer's, at a fifth of its
// time, since nothing here is a string or a regular expression (test/unit/quoted-printable.test.ts compares the two).

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
const SOFT_BREAK = [EQUALS, CR, LF] as const;

/** Octets that stand for themselves, white space only where no line ends behind it. Line ends do too. */
const isPlain = Uint8Array.from({ length: 256 }, (_, octet) =>
  (octet >= SPACE && octet <= 0x7e && octet !== EQUALS) || octet === TAB ? 1 : 0,
);
const isBreakable = Uint8Array.from({ length: 256 }, (_, octet) =>
  ' \t.,!?'.includes(String.fromCharCode(octet)) ? 1 : 0,
);

/** `body`: lines ended by CRLF only. */
export function quotedPrintable(body: Buffer): Buffer {
  const escaped = escape(body);
  return escaped.length <= LINE ? Buffer.from(escaped) : wrap(escaped);
}

/**
 * The answer lies in a buffer that the next call uses anew: it is three times the body at worst, and fresh memory of that
 * size costs as much as the escaping.
 */
function escape(body: Buffer): Buffer {
  const out = scratchOf(body.length * 3);
  const { length } = body;
  let to = 0;
  for (let at = 0; at < length; at++) {
    const octet = body[at] as number;
    if (isPlain[octet] === 1) {
      out[to++] = octet;
      continue;
    }
    if (octet === CR || octet === LF) {
      to = escapeSpace(out, to);
      out[to++] = octet;
    } else to = writeEscaped(out, to, octet);
  }
  return out.subarray(0, escapeSpace(out, to));
}

/** Relays take white space at the end of a line away. */
function escapeSpace(out: Buffer, to: number): number {
  const last = out[to - 1];
  return to > 0 && (last === SPACE || last === TAB) ? writeEscaped(out, to - 1, last) : to;
}

function writeEscaped(out: Buffer, to: number, octet: number): number {
  out[to] = EQUALS;
  out[to + 1] = HEX[octet >> 4] ?? 0;
  out[to + 2] = HEX[octet & 15] ?? 0;
  return to + 3;
}

/** Kept for the next; a larger one is not, so that one large mail does not hold memory for good. */
const SCRATCH = 1024 * 1024;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

function scratchOf(size: number): Buffer {
  if (size > SCRATCH) return Buffer.allocUnsafe(size);
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(SCRATCH);
  return scratch;
}

function wrap(text: Buffer): Buffer {
  // A soft break for each LINE - MARGIN octets at the most often, and then some.
  const out = Buffer.allocUnsafe(text.length + 3 * (Math.ceil(text.length / (LINE - MARGIN - 12)) + 1));
  let to = 0;
  let lineFeed = text.indexOf(LF);
  for (let at = 0; at < text.length; ) {
    if (lineFeed !== -1 && lineFeed < at) lineFeed = text.indexOf(LF, at);
    const whole = lineFeed !== -1 && lineFeed < at + LINE;
    const end = whole ? lineFeed + 1 : softEnd(text, at);
    // Shorter than a call of copy() is worth.
    for (let from = at; from < end; from++) out[to++] = text[from] as number;
    if (!whole && end < text.length) for (const octet of SOFT_BREAK) out[to++] = octet;
    at = end;
  }
  return out.subarray(0, to);
}

/** Where the line that begins at `from` ends, when no line end comes first. */
function softEnd(text: Buffer, from: number): number {
  const full = Math.min(from + LINE, text.length);
  const end = behindBreakable(text, from, full) ?? behindWholeCharacter(text, from, full);
  if (end === text.length || end - from < LINE) return end;
  // Room for the soft break's own octet.
  return endsEscaped(text, end) ? end - 3 : end - 1;
}

function behindBreakable(text: Buffer, from: number, full: number): number | null {
  if (full - from <= LINE - MARGIN) return null;
  for (let at = full - 1; at >= full - MARGIN; at--) if (isBreakable[text[at] ?? 0] === 1) return at + 1;
  return null;
}

/** An escape is not cut, and neither are those of one character's octets where they fit a line. */
function behindWholeCharacter(text: Buffer, from: number, full: number): number {
  let end = full;
  if (text[end - 1] === EQUALS) end -= 1;
  else if (text[end - 2] === EQUALS) end -= 2;
  while (end - from > 3 && end < text.length && endsEscaped(text, end) && !isOneCharacter(text, from, end)) {
    const octet = Number.parseInt(text.toString('latin1', end - 2, end), 16);
    if (octet < 0x80) break;
    end -= 3;
    if (octet >= 0xc0) break;
  }
  return end;
}

function endsEscaped(text: Buffer, end: number): boolean {
  return text[end - 3] === EQUALS;
}

/** Nothing but up to four escapes. */
function isOneCharacter(text: Buffer, from: number, end: number): boolean {
  if (end - from > 12 || (end - from) % 3 !== 0) return false;
  for (let at = from; at < end; at += 3) if (text[at] !== EQUALS) return false;
  return true;
}
