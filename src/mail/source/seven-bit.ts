// The same message in 7 bits, for a receiver without 8BITMIME (RFC 6152 §3): each part with octets past ASCII is written as
// quoted-printable or base64, and says so. Done before it is signed; a signature of its sender's own does not survive.
import { isAscii } from 'node:buffer';
import { encode as encodeQuotedPrintable, wrap as wrapQuotedPrintable } from 'nodemailer/lib/qp';
import { withCrLf, withLf } from '../mime/line-ends.ts';
import { contentOf, type MimePart, parseStructure } from '../mime/structure.ts';

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
}

/** RFC 2045 §6.7 and 6.8. */
const LINE = 76;
const QUESTION_MARK = 0x3f;
/** Up to and with the line end; the lines are those of one header. */
const ENCODING_FIELD = /^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*/im;

/**
 * Null: it cannot be had, because what is past ASCII stands in the header of a part or in
 * what may not be changed (multipart/signed, RFC 1847 §2.1).
 */
export function inSevenBit(source: Buffer): Buffer | null {
  const bytes = withLf(source);
  const edits: Edit[] = [];
  if (!rewrite(parseStructure(bytes).root, bytes, 0, edits)) return null;
  const out: Buffer[] = [];
  let at = 0;
  for (const { from, to, bytes: written } of edits.toSorted((a, b) => a.from - b.from)) {
    out.push(withoutEighthBit(bytes.subarray(at, from)), written);
    at = to;
  }
  out.push(withoutEighthBit(bytes.subarray(at)));
  return withCrLf(Buffer.concat(out));
}

/** False: this part cannot be had in 7 bits. Parents come before their children, and a header before its body. */
function rewrite(part: MimePart, bytes: Buffer, headerStart: number, edits: Edit[]): boolean {
  const from = part.body.byteOffset - bytes.byteOffset;
  const to = from + part.body.length;
  if (!isAscii(bytes.subarray(headerStart, from))) return false;
  if (isAscii(part.body)) return true;
  if (part.children.length > 0) {
    edits.push(...labelled(bytes, headerStart, from, '7bit', false));
    const isMultipart = part.type.startsWith('multipart/');
    // The one message within a message begins where that one's body does.
    const startOf = ({ body }: MimePart) =>
      isMultipart ? headerStartBefore(bytes, body.byteOffset - bytes.byteOffset) : from;
    return (
      part.type !== 'multipart/signed' && part.children.every((child) => rewrite(child, bytes, startOf(child), edits))
    );
  }
  if (/^(?:multipart|message)\//.test(part.type)) return false;
  const { encoding, written } = encoded(part);
  edits.push(...labelled(bytes, headerStart, from, encoding, true), { from, to, bytes: written });
  return true;
}

function encoded(part: MimePart) {
  const content = withCrLf(contentOf(part));
  const text = part.type.startsWith('text/');
  const written = text
    ? wrapQuotedPrintable(encodeQuotedPrintable(content), LINE)
    : (content.toString('base64').match(/.{1,76}/g) ?? []).join('\n');
  return { encoding: text ? 'quoted-printable' : 'base64', written: withLf(Buffer.from(written, 'latin1')) } as const;
}

/** The header says how the body is encoded: in place of what it said, or with a field more where it must. */
function labelled(bytes: Buffer, start: number, bodyStart: number, encoding: string, must: boolean): Edit[] {
  const header = bytes.toString('latin1', start, bodyStart);
  const field = ENCODING_FIELD.exec(header);
  const line = Buffer.from(`Content-Transfer-Encoding: ${encoding}\n`);
  if (field !== null) return [{ from: start + field.index, to: start + field.index + field[0].length, bytes: line }];
  return must ? [{ from: start, to: start, bytes: line }] : [];
}

/** Of a part of a multipart: behind the line of its boundary. */
function headerStartBefore(bytes: Buffer, bodyStart: number): number {
  const boundary = bytes.lastIndexOf('\n--', bodyStart - 1);
  return bytes.indexOf('\n', boundary + 1) + 1;
}

/** What stands between parts is for programs that know no MIME; nobody is shown it. */
function withoutEighthBit(bytes: Buffer): Buffer {
  if (isAscii(bytes)) return bytes;
  return Buffer.from(bytes.map((byte) => (byte > 0x7f ? QUESTION_MARK : byte)));
}
