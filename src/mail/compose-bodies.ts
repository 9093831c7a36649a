// A message of text, HTML or both and nothing attached, which is nearly every one, written directly: the bytes that
// nodemailer's tree of parts would give, at a fifth of its time (test/unit/compose.test.ts compares the two).

import { foldLines } from 'nodemailer/lib/mime-funcs';
import { bodyBytes, type StoredContent } from './content.ts';
import { wrappedBase64 } from './base64-lines.ts';

export interface Composed {
  /** Without the empty line. */
  readonly header: string;
  readonly body: readonly Buffer[];
}

export type BodyEncoding = '7bit' | 'quoted-printable' | 'base64';

export interface EncodableBody {
  /** Lines ended by CRLF only, where the encoding does not see to it. */
  readonly bytes: Buffer;
  readonly encoding: BodyEncoding;
  /** The bytes in that encoding; null: base64, which choosing it does not make. */
  readonly encoded: Buffer | null;
}

interface Options {
  /** With its angle brackets. */
  readonly messageId: string;
  readonly date: Date;
  /** Of the whole message, with its prefix. */
  readonly boundary: string;
  /** Chooses how a body travels. */
  encodable(body: Buffer): EncodableBody;
}

/** What needs no care in a header; a sender's own may be anything. */
const PLAIN_MESSAGE_ID = /^<[\x21-\x3b\x3d\x3f-\x7e]+>$/;

/** Null: this one is for the tree. */
export function composeBodies(content: StoredContent, options: Options): Composed | null {
  if (content.attachments.length > 0 || !PLAIN_MESSAGE_ID.test(options.messageId)) return null;
  const { text, html } = bodyBytes(content);
  const parts = [
    ...(text?.length ? [{ type: 'text/plain', ...options.encodable(text) }] : []),
    ...(html?.length ? [{ type: 'text/html', ...options.encodable(html) }] : []),
  ];
  const [first, second] = parts;
  if (first === undefined) return null;
  const identity = `${foldLines(`Message-ID: ${options.messageId}`, LINE)}\r\nDate: ${dateText(options.date)}\r\n`;
  return second === undefined
    ? { header: singleHeader(first, identity), body: [encoded(first)] }
    : alternative([first, second], identity, `${options.boundary}-Part_1`);
}

/** RFC 5322 §2.1.1. */
const LINE = 76;

type Part = EncodableBody & { readonly type: string };

/** nodemailer's order of fields: an encoding that was asked for stands first. */
function singleHeader({ type, encoding }: Part, identity: string): string {
  const field = `Content-Transfer-Encoding: ${encoding}\r\n`;
  const fields = encoding === '7bit' ? identity + field : field + identity;
  return `${fields}MIME-Version: 1.0\r\nContent-Type: ${type}; charset=utf-8`;
}

function alternative(parts: readonly [Part, Part], identity: string, boundary: string): Composed {
  const header = `${identity}MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="${boundary}"`;
  const body = parts.flatMap((part, index) => [
    Buffer.from(
      `${index > 0 ? '\r\n' : ''}--${boundary}\r\nContent-Type: ${part.type}; charset=utf-8\r\n` +
        `Content-Transfer-Encoding: ${part.encoding}\r\n\r\n`,
      'latin1',
    ),
    encoded(part),
  ]);
  return { header, body: [...body, Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')] };
}

function encoded({ bytes, encoded: made }: Part): Buffer {
  return made ?? wrappedBase64(bytes);
}

/** RFC 5322 §3.3 calls GMT obsolete. */
export function dateText(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}
