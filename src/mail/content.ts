// The stored form of an email's content: one frame, compressed, from which the message can be composed at any time.
//
//   u32 format   FRAME, or FRAME | COMPRESSED when all that follows is one zstd frame
//   u32 length of the JSON
//   JSON         addresses, subject, bodies, headers, and of each attachment all but its bytes
//   bytes of the attachments, one after the other
//
// Bcc recipients are not in it: whoever reads the content must not learn of them, and no composer can leak them.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

export interface StoredAddress {
  readonly name: string | null;
  readonly address: string;
}

export interface StoredAttachment {
  readonly name: string;
  readonly contentType: string;
  readonly contentId: string | null;
  readonly content: Buffer;
}

/** A ValidEmail is one, and more: only what is named here is stored. */
export interface StoredContent {
  readonly from: StoredAddress;
  readonly to: readonly StoredAddress[];
  readonly cc: readonly StoredAddress[];
  readonly replyTo: readonly StoredAddress[];
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly attachments: readonly StoredAttachment[];
}

interface FrameJson extends Omit<StoredContent, 'attachments'> {
  readonly attachments: readonly (Omit<StoredAttachment, 'content'> & { readonly size: number })[];
}

const FRAME = 1;
const COMPRESSED = 0x8000_0000;
/** Below this zstd's own frame eats what it saves. */
const MIN_COMPRESSED = 256;
/** 10 MB of message is at most some 60 MB of frame: JSON writes a control character of a body as six. */
const MAX_FRAME = 80 * 1024 * 1024;
/** Level 1: half the time of level 3 on large bodies, for some percent of size; sending is what must be fast. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function encodeContent(content: StoredContent): Buffer {
  const json: FrameJson = {
    from: plain(content.from),
    to: content.to.map(plain),
    cc: content.cc.map(plain),
    replyTo: content.replyTo.map(plain),
    subject: content.subject,
    html: content.html,
    text: content.text,
    headers: content.headers.map(({ name, value }) => ({ name, value })),
    attachments: content.attachments.map(({ name, contentType, contentId, content: bytes }) => ({
      name,
      contentType,
      contentId,
      size: bytes.length,
    })),
  };
  const text = Buffer.from(JSON.stringify(json));
  const body = Buffer.concat([u32(text.length), text, ...content.attachments.map((attachment) => attachment.content)]);
  if (body.length < MIN_COMPRESSED) return Buffer.concat([u32(FRAME), body]);
  return Buffer.concat([u32((FRAME | COMPRESSED) >>> 0), zstdCompressSync(body, OPTIONS)]);
}

/** Throws on anything encodeContent did not make: stored content that cannot be read is a defect, not an outcome. */
export function decodeContent(stored: Buffer): StoredContent {
  const format = stored.readUInt32BE(0);
  if ((format & ~COMPRESSED) !== FRAME) throw new Error(`stored content has the unknown format ${format}`);
  const rest = stored.subarray(4);
  const body = (format & COMPRESSED) === 0 ? rest : zstdDecompressSync(rest, { maxOutputLength: MAX_FRAME });
  const jsonEnd = 4 + body.readUInt32BE(0);
  const json = JSON.parse(body.toString('utf8', 4, jsonEnd)) as FrameJson;
  let at = jsonEnd;
  const attachments = json.attachments.map(({ name, contentType, contentId, size }) => {
    const content = body.subarray(at, at + size);
    at += size;
    return { name, contentType, contentId, content };
  });
  if (at !== body.length) throw new Error('stored content is cut off or has something after its end');
  return { ...json, attachments };
}

function plain({ name, address }: StoredAddress): StoredAddress {
  return { name, address };
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
