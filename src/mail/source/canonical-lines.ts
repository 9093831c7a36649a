// Line ends of what is going to be sent: CRLF and nothing else. A bare CR or LF is a line end to some servers and none to
// others; between two of them a message could be cut in two, or take a command along (SMTP smuggling).

const CR = 0x0d;
const LF = 0x0a;

export interface CanonicalLines {
  readonly bytes: Buffer;
  /** The longest line, in octets without its CRLF, and its number from 1. */
  readonly longest: { readonly octets: number; readonly line: number };
}

/** The bytes themselves where nothing has to be mended. A last line without an end gets one. */
export function canonicalLines(given: Buffer): CanonicalLines {
  return readLines(given) ?? readLines(mended(given)) ?? { bytes: Buffer.alloc(0), longest: { octets: 0, line: 0 } };
}

/** Null where a line end is none, or is missing at the end. */
function readLines(bytes: Buffer): CanonicalLines | null {
  let octets = 0;
  let line = 0;
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const cr = bytes.indexOf(CR, at);
    if (cr < 0 || bytes[cr + 1] !== LF) return null;
    const lf = bytes.indexOf(LF, at);
    if (lf !== cr + 1) return null;
    count++;
    if (cr - at > octets) {
      octets = cr - at;
      line = count;
    }
    at = lf + 1;
  }
  return { bytes, longest: { octets, line } };
}

/** Some programs write CR CR LF where they mean one line end, so any number of CRs before an LF is one. */
function mended(given: Buffer): Buffer {
  const out = Buffer.allocUnsafe(given.length * 2 + 2);
  let to = 0;
  const end = () => {
    out[to++] = CR;
    out[to++] = LF;
  };
  let at = 0;
  while (at < given.length) {
    const byte = given[at++] as number;
    if (byte === LF) end();
    else if (byte !== CR) out[to++] = byte;
    else {
      let returns = 1;
      for (; given[at] === CR; at++) returns++;
      // A row of CRs that ends with no LF is as many line ends.
      if (given[at] === LF) at++;
      else for (; returns > 1; returns--) end();
      end();
    }
  }
  if (to > 0 && out[to - 1] !== LF) end();
  return out.subarray(0, to);
}
