// Brings the line ends of a message to LF, so that everything after it knows one kind only. Mail on the wire has CRLF;
// files have LF, and some programs write bare CR.

const CR = 0x0d;
const LF = 0x0a;

/**
 * CR LF and CR CR LF become LF. A bare CR ends a line only where the whole message has no LF: else it is a character
 * inside of a line, as RFC 5322 has it.
 */
export function withLf(source: Uint8Array): Buffer {
  const bytes = asBuffer(source);
  const first = bytes.indexOf(CR);
  if (first < 0) return bytes;
  if (!bytes.includes(LF)) return bareCr(bytes);
  const out = Buffer.allocUnsafe(bytes.length);
  bytes.copy(out, 0, 0, first);
  let to = first;
  for (let at = first; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === LF) while (to > 0 && out[to - 1] === CR) to--;
    out[to++] = byte;
  }
  return out.subarray(0, to);
}

function bareCr(bytes: Buffer): Buffer {
  const out = Buffer.from(bytes);
  for (let at = out.indexOf(CR); at >= 0; at = out.indexOf(CR, at + 1)) out[at] = LF;
  return out;
}

/** Octet by octet: a pattern would make a string of every line. */
export function withCrLf(bytes: Buffer): Buffer {
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === LF) lines++;
  const out = Buffer.allocUnsafe(bytes.length + lines);
  let to = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === LF && (at === 0 || bytes[at - 1] !== CR)) out[to++] = CR;
    out[to++] = byte;
  }
  return out.subarray(0, to);
}

/** A view, not a copy. */
export function asBuffer(source: Uint8Array): Buffer {
  return Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
}
