// Composes the message once, as every recipient gets it; what differs per recipient is put in front of it later.
//
// Bodies without attachments are written directly (compose-bodies.ts). For the rest nodemailer's MailComposer builds the
// tree of parts, their headers and their encodings. Only the way out is our own: its stream machinery costs more than the
// composing, so the tree is written synchronously, with the same bytes (test/unit/compose.test.ts compares).
// Header fields of the sender are written by header-field.ts, because nodemailer changes their case, encodes every value
// with a double quote and passes encoded-words of the sender through.
//
// The output is 7-bit: bodies are 7bit, quoted-printable or base64, so that 8BITMIME is never needed and no relay has to
// convert a signed message. The one exception is an address whose local part is not ASCII: nothing but raw UTF-8 in
// the header can carry it (RFC 6532), and then the receiving server must have SMTPUTF8 anyway.

import { hash } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import type MimeNode from 'nodemailer/lib/mime-node';
import { wrappedBase64 } from './base64-lines.ts';
import { type Composed, composeBodies, dateText, type EncodableBody } from './compose-bodies.ts';
import { bodyBytes, type Stored, type StoredAttachment, type StoredContent, type StoredSource } from './content.ts';
import { addressField, headerField } from './header-field.ts';
import { quotedPrintable, quotedPrintableWithin } from './quoted-printable.ts';
import { Scratch } from './scratch.ts';

/** What makes this message itself; made once, when it is accepted. */
export interface MessageIdentity {
  /** With its angle brackets. */
  readonly messageId: string;
  readonly date: Date;
  /** Any text; the boundaries come from it, so the same input gives the same bytes. */
  readonly seed: string;
  /** Null: without the field. */
  readonly feedbackId: string | null;
}

export interface ComposedMessage {
  /** Header and body, lines ended by CRLF only. */
  readonly source: Buffer;
  readonly size: number;
  /** Offset of the first octet of the body: with it the body can be hashed once for all signatures. */
  readonly bodyStart: number;
  /** Needs 8BITMIME: never, unless smtpUtf8, or unless its sender has composed it so. */
  readonly eightBit: boolean;
  /** Needs SMTPUTF8, because an address in the header is not ASCII. The envelope may need it besides. */
  readonly smtpUtf8: boolean;
}

/** RFC 5322 §2.1.1 recommends 78 and nodemailer keeps to 76. */
const LINE = 76;
/** Cannot occur in quoted-printable or base64 (RFC 2045 §6.7), so no encoded content can hold a boundary. */
const BOUNDARY_PREFIX = '=_';
/** RFC 5322 §2.1.1, for content that cannot be encoded. */
const MAX_LINE = 998;

/** Encoded bodies lie here until the message is put together of them. */
const scratch = new Scratch();

export function composeMessage(content: StoredContent, identity: MessageIdentity): ComposedMessage {
  scratch.clear();
  const boundary = boundaryOf(identity);
  const options = { ...identity, boundary: `${BOUNDARY_PREFIX}-${boundary}`, encodable };
  const { header: own, body } = composeBodies(content, options) ?? composeTree(messageTree(content, identity));
  // In one line: it is one word, and its reader is a program of one provider.
  const feedback = identity.feedbackId === null ? '' : `Feedback-ID: ${identity.feedbackId}\r\n`;
  const header = `${senderHeader(content)}${feedback}${own}\r\n\r\n`;
  const headerBytes = Buffer.from(header);
  const chunks = [headerBytes, ...body];
  const last = chunks.findLast((chunk) => chunk.length > 0);
  // A message ends its last line (RFC 5321 §4.1.1.4); a body that ends with none gets the line end nodemailer gives it.
  if (last?.at(-1) !== 0x0a) chunks.push(CRLF);
  const source = Buffer.concat(chunks);
  const smtpUtf8 = headerBytes.length !== header.length;
  return { source, size: source.length, bodyStart: headerBytes.length, eightBit: smtpUtf8, smtpUtf8 };
}

/** Whatever form it is stored in. */
export function composeStored({ kind, content }: Stored, identity: MessageIdentity): ComposedMessage {
  return kind === 'parts' ? composeMessage(content, identity) : completeSource(content, identity);
}

/** The sender's own bytes; before them the fields that were left to us, and ours. */
function completeSource({ source, ...stored }: StoredSource, identity: MessageIdentity): ComposedMessage {
  let added = identity.feedbackId === null ? '' : `Feedback-ID: ${identity.feedbackId}\r\n`;
  if (stored.lacks.messageId) added += `Message-ID: ${identity.messageId}\r\n`;
  if (stored.lacks.date) added += `Date: ${dateText(identity.date)}\r\n`;
  if (stored.replyTo !== null) added += addressField('Reply-To', [stored.replyTo]);
  const before = Buffer.from(added);
  const smtpUtf8 = stored.smtpUtf8 || before.length !== added.length;
  const whole = Buffer.concat([before, source]);
  return {
    source: whole,
    size: whole.length,
    bodyStart: before.length + stored.bodyStart,
    eightBit: stored.eightBit || smtpUtf8,
    smtpUtf8,
  };
}

const CRLF = Buffer.from('\r\n');
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;

/**
 * The seam for what differs per recipient: the given fields stand before the composed message, whose bytes are shared
 * and not copied. Bcc and Return-Path never go here: the first is for nobody, the second for the receiving server.
 */
export function withRecipientHeaders(
  composed: ComposedMessage,
  headers: readonly { readonly name: string; readonly value: string }[],
): readonly Uint8Array[] {
  if (headers.length === 0) return [composed.source];
  return [Buffer.from(headers.map(({ name, value }) => headerField(name, value)).join('')), composed.source];
}

/** The fields that say who and what, as the sender gave them. There is no Bcc to leave out: stored content has none. */
export function senderHeader(content: StoredContent): string {
  let header = addressField('From', [content.from]);
  header += addressField('To', content.to);
  header += addressField('Cc', content.cc);
  header += addressField('Reply-To', content.replyTo);
  if (content.subject !== '') header += headerField('Subject', content.subject);
  for (const { name, value } of content.headers) header += headerField(name, value);
  return header;
}

/** The parts with their headers; exported so that a test can compare our way out with nodemailer's. */
export function messageTree(content: StoredContent, identity: MessageIdentity): MimeNode {
  const { text, html } = bodyBytes(content);
  const inline = html !== null && html.length > 0;
  const boundary = boundaryOf(identity);
  return new MailComposer({
    text: text?.length ? bodyPart(text) : undefined,
    html: html?.length ? bodyPart(html) : undefined,
    attachments: content.attachments.map((attachment) => attachmentPart(attachment, inline, boundary)),
    messageId: identity.messageId,
    date: identity.date,
    boundaryPrefix: BOUNDARY_PREFIX,
    baseBoundary: boundary,
    newline: 'win',
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
}

function boundaryOf({ seed }: MessageIdentity): string {
  return hash('sha256', seed, 'hex').slice(0, 24);
}

function bodyPart(body: Buffer) {
  const { bytes, encoding } = encodable(body);
  return encoding === '7bit' ? { content: bytes.toString() } : { content: bytes, contentTransferEncoding: encoding };
}

/** In base64 nobody could mend line ends later (RFC 2046 §4.1.1), and in 7 bits none may. */
function encodable(body: Buffer): EncodableBody {
  if (isSevenBit(body)) {
    const bytes = Buffer.from(canonicalLines(body), 'latin1');
    return { bytes, encoding: '7bit', encoded: bytes };
  }
  // Base64 takes 4/3, quoted-printable 1 + 2 × the share of escapes: even at one in six.
  const encoded = quotedPrintableWithin(body, 6, scratch);
  if (encoded !== null) return { bytes: body, encoding: 'quoted-printable', encoded };
  return { bytes: Buffer.from(canonicalLines(body), 'latin1'), encoding: 'base64', encoded: null };
}

/** ASCII text in short lines: most bodies fail by those, and soon. */
function isSevenBit(body: Buffer): boolean {
  let from = 0;
  for (let at = 0; at < body.length; at++) {
    const octet = body[at] as number;
    if (octet === LF || octet === CR) from = at + 1;
    else if (octet > 0x7e || (octet < 0x20 && octet !== TAB) || at - from >= LINE) return false;
  }
  return !body.includes(BOUNDARY_PREFIX);
}

function attachmentPart(attachment: StoredAttachment, inline: boolean, boundary: string) {
  const { name, contentType, contentId, content } = attachment;
  // A message/rfc822 part may not be encoded (RFC 2045 §6.4), so one that does not fit 7 bits goes as plain bytes.
  const message = /^message\//i.test(contentType);
  const type =
    message && (!fitsSevenBit(content) || content.includes(boundary)) ? 'application/octet-stream' : contentType;
  const related = inline && contentId !== null;
  return {
    filename: name,
    contentType: type,
    content: message && type === contentType ? Buffer.from(canonicalLines(content)) : content,
    contentDisposition: related ? 'inline' : 'attachment',
    ...(contentId === null ? {} : { cid: contentId }),
  };
}

function canonicalLines(content: Buffer): string {
  return content.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
}

function fitsSevenBit(content: Buffer): boolean {
  let line = 0;
  for (const byte of content) {
    if (byte === 0 || byte > 0x7f) return false;
    line = byte === 0x0a || byte === 0x0d ? 0 : line + 1;
    if (line > MAX_LINE) return false;
  }
  return true;
}

function composeTree(tree: MimeNode): Composed {
  // First: it settles the boundaries.
  const header = tree.buildHeaders();
  const body: Buffer[] = [];
  writeBody(tree, body);
  return { header, body };
}

function writeBody(node: MimeNode, chunks: Buffer[]): void {
  if (typeof node.boundary === 'string') {
    node.childNodes.forEach((child, index) => {
      chunks.push(Buffer.from(`${index > 0 ? '\r\n' : ''}--${node.boundary}\r\n${child.buildHeaders()}\r\n\r\n`));
      writeBody(child, chunks);
    });
    chunks.push(Buffer.from(`\r\n--${node.boundary}--\r\n`));
    return;
  }
  const { content } = node;
  if (typeof content !== 'string' && !Buffer.isBuffer(content)) throw new Error('a part is neither text nor bytes');
  const encoding = node.getTransferEncoding();
  if (encoding === 'base64') chunks.push(wrappedBase64(content));
  else if (encoding === 'quoted-printable')
    chunks.push(quotedPrintable(typeof content === 'string' ? Buffer.from(content) : content, scratch));
  else chunks.push(typeof content === 'string' ? Buffer.from(content) : content);
}
