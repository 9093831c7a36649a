// Content-Transfer-Encoding, backwards. None of these fails: what cannot be decoded is left out or left as it is.
import { hexPair } from './hex.ts';

const LF = 0x0a;
const EQUALS = 0x3d;

export type TransferEncoding = 'identity' | 'base64' | 'quoted-printable' | 'uuencode';

export function transferEncoding(value: string | undefined): TransferEncoding {
  const name = (value ?? '')
    .slice(0, 200)
    .toLowerCase()
    .replace(/\([^)]*\)|["'\s;,]/g, '');
  if (name.startsWith('base64')) return 'base64';
  if (name.startsWith('quoted-printable') || name === 'quotedprintable') return 'quoted-printable';
  if (name === 'x-uuencode' || name === 'uuencode' || name === 'x-uue' || name === 'uue') return 'uuencode';
  return 'identity';
}

export function decodeTransfer(bytes: Buffer, encoding: TransferEncoding): Buffer {
  switch (encoding) {
    case 'base64':
      return decodeBase64(bytes);
    case 'quoted-printable':
      return decodeQuotedPrintable(bytes);
    case 'uuencode':
      return decodeUuencode(bytes);
    case 'identity':
      return bytes;
  }
}

/** Node skips what is no base64 and stops at the padding, like most decoders; but `-` and `_` mean something to it. */
function decodeBase64(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return Buffer.from(/[-_]/.test(text) ? text.replace(/[-_]+/g, '') : text, 'base64');
}

/** RFC 2045 §6.7: blanks at the end of a line are no part of it, `=` there means that the line goes on. */
function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let to = 0;
  // Behind the last octet of a line that is no blank: what comes after it may be cut off.
  let solid = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === LF) {
      to = solid;
      out[to++] = LF;
      solid = to;
    } else if (byte !== EQUALS) {
      out[to++] = byte;
      if (byte !== 0x20 && byte !== 0x09) solid = to;
    } else {
      const value = hexPair(bytes[at + 1], bytes[at + 2]);
      if (value >= 0) {
        out[to++] = value;
        solid = to;
        at += 2;
        continue;
      }
      const end = softBreak(bytes, at + 1);
      if (end < 0) out[to++] = EQUALS;
      else at = end;
      solid = to;
    }
  }
  return out.subarray(0, to);
}

/** Where the line ends on which nothing but blanks follows; -1 where something does. */
function softBreak(bytes: Buffer, from: number): number {
  // A run of blanks is looked at once more only when another `=` follows it at once.
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === LF) return at;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return -1;
  }
  return bytes.length;
}

function decodeUuencode(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let to = 0;
  let started = false;
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(LF, at);
    const end = found < 0 ? bytes.length : found;
    if (!started) started = bytes.toString('latin1', at, at + 6) === 'begin ';
    else {
      const length = ((bytes[at] ?? 0x20) - 0x20) & 0x3f;
      if (length === 0 || bytes.toString('latin1', at, end).trim() === 'end') break;
      to = uuLine(bytes, at + 1, end, out, to, length);
    }
    at = end + 1;
  }
  return out.subarray(0, to);
}

function uuLine(bytes: Buffer, start: number, end: number, out: Buffer, from: number, length: number): number {
  let to = from;
  const six = (at: number) => (at < end ? ((bytes[at] as number) - 0x20) & 0x3f : 0);
  for (let at = start; to < from + length && at < end; at += 4) {
    const word = (six(at) << 18) | (six(at + 1) << 12) | (six(at + 2) << 6) | six(at + 3);
    for (let shift = 16; shift >= 0 && to < from + length; shift -= 8) out[to++] = (word >> shift) & 0xff;
  }
  return to;
}
