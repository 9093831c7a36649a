// How large a message will be on the wire, without composing it.

import type { Attachment, HeaderField } from './types.ts';

/** Four characters for three octets, and CRLF after each 76 characters. */
const BASE64 = (4 / 3) * (78 / 76);
/** Soft line breaks of quoted-printable: three characters on a line of 76. */
const SOFT_BREAKS = 76 / 73;
/** Message-ID, Date, MIME-Version, the multipart headers and boundaries. */
const FIXED = 600;
/** Boundary line, Content-Type, -Disposition and -Transfer-Encoding of one part. */
const PART = 250;
/** An encoded-word or RFC 2231 value takes at most three times the octets of UTF-8, plus its frame. */
const ENCODED_TEXT = 3;

interface Sized {
  readonly subject: string;
  readonly htmlBytes: number;
  readonly textBytes: number;
  readonly html: string | null;
  readonly text: string | null;
  readonly attachments: readonly Attachment[];
  readonly headers: readonly HeaderField[];
  readonly addressCharacters: number;
}

/**
 * An upper estimate that is fair: attachments are counted exactly, a body as the cheaper of quoted-printable and base64,
 * which is how the composer chooses (src/mail/compose.ts). Only `=` signs of HTML are not counted, some percent at most.
 */
export function estimateSize(email: Sized): number {
  let size = FIXED + headerSize('Subject', email.subject) + ENCODED_TEXT * email.addressCharacters;
  if (email.html !== null) size += PART + bodySize(email.html, email.htmlBytes);
  if (email.text !== null) size += PART + bodySize(email.text, email.textBytes);
  for (const { name, value } of email.headers) size += headerSize(name, value);
  for (const { name, content } of email.attachments)
    size += PART + 2 * ENCODED_TEXT * Buffer.byteLength(name) + content.length * BASE64;
  return Math.ceil(size);
}

/** `bytes - length` is one for each two-octet character and two for each longer one, so octets to escape ≤ twice that. */
function bodySize(text: string, bytes: number): number {
  const escaped = 2 * (bytes - text.length);
  return Math.min((bytes + 2 * escaped) * SOFT_BREAKS, bytes * BASE64);
}

function headerSize(name: string, value: string): number {
  const bytes = Buffer.byteLength(value);
  return name.length + 4 + (bytes === value.length ? bytes : bytes * ENCODED_TEXT);
}
