// The stored form of an email's content: one frame, compressed, from which the message can be composed at any time.
//
//   u32 format   PARTS or SOURCE, and COMPRESSED with it when all that follows is one zstd frame
//   u32 length of the JSON
//   JSON         PARTS: addresses, subject, headers, the lengths of the bodies, and of each attachment all but its bytes
//                SOURCE: what delivery must know of the source without reading it
//   bytes        PARTS: HTML and text in UTF-8, which as JSON would cost more than to compress them; then the attachments
//                SOURCE: the message as its sender has composed it (SMTP), from which nothing is composed anew
//
// Bcc recipients are not in it: whoever reads the content must not learn of them, and no composer can leak them.

import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  constants,
  createZstdCompress,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { Scratch } from './scratch.ts';

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

/** A message that came as one (src/mail/source): only what must change was changed before it was stored. */
export interface StoredSource {
  /** Lines ended by CRLF only, the last one too; no line is too long for SMTP. */
  readonly source: Buffer;
  /** Offset of the first octet of the body. */
  readonly bodyStart: number;
  /** Octets past ASCII: in the body, which needs 8BITMIME; in the header, which needs SMTPUTF8. */
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
  /** The fields that its sender has left to us. */
  readonly lacks: { readonly date: boolean; readonly messageId: boolean };
  /** Reply-To of the confirmed signature, where the source has none. */
  readonly replyTo: StoredAddress | null;
}

export type Stored =
  | { readonly kind: 'parts'; readonly content: StoredContent }
  | { readonly kind: 'source'; readonly content: StoredSource };

type StoredJson = Omit<FrameJson, 'html' | 'text'> & {
  readonly html: number | string | null;
  readonly text: number | string | null;
};

interface FrameJson extends Omit<StoredContent, 'attachments' | 'html' | 'text'> {
  /** Octets. */
  readonly html: number | null;
  readonly text: number | null;
  readonly attachments: readonly (Omit<StoredAttachment, 'content'> & { readonly size: number })[];
}

type SourceJson = Omit<StoredSource, 'source'>;

const PARTS = 1;
const SOURCE = 2;
const COMPRESSED = 0x8000_0000;
/** Below this zstd's own frame eats what it saves. */
const MIN_COMPRESSED = 256;
/** 10 MB of message is at most some 60 MB of frame: JSON writes a control character of a body as six. */
const MAX_FRAME = 80 * 1024 * 1024;
/** Level 1: half the time of level 3 on large bodies, for some percent of size; sending is what must be fast. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function encodeContent(content: StoredContent): Buffer {
  const { html, text } = content;
  const json: FrameJson = {
    from: plain(content.from),
    to: content.to.map(plain),
    cc: content.cc.map(plain),
    replyTo: content.replyTo.map(plain),
    subject: content.subject,
    html: html === null ? null : Buffer.byteLength(html),
    text: text === null ? null : Buffer.byteLength(text),
    headers: content.headers.map(({ name, value }) => ({ name, value })),
    attachments: content.attachments.map(({ name, contentType, contentId, content: bytes }) => ({
      name,
      contentType,
      contentId,
      size: bytes.length,
    })),
  };
  const parts = [
    { bytes: html ?? '', length: json.html ?? 0 },
    { bytes: text ?? '', length: json.text ?? 0 },
    ...content.attachments.map((attachment) => part(attachment.content)),
  ];
  return encodeFrame(PARTS, json, parts);
}

export function encodeSource(content: StoredSource): Buffer {
  return encodeFrame(SOURCE, sourceJson(content), [part(content.source)]);
}

/** From here on compressing takes some milliseconds, in which nobody else would be served. */
const LARGE = 1024 * 1024;
const compressAside = promisify(zstdCompress);

/** The same, a large one beside the event loop. */
export async function encodeLargeSource(content: StoredSource): Promise<Buffer> {
  if (content.source.length < LARGE) return encodeSource(content);
  const body = frameBody(sourceJson(content), [part(content.source)]);
  return Buffer.concat([u32((SOURCE | COMPRESSED) >>> 0), await compressAside(body, OPTIONS)]);
}

/** The same frame bit by bit, of a source that need not be in memory as a whole. */
export async function* encodeSourceStream(
  content: Omit<StoredSource, 'source'>,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const body = async function* () {
    yield frameBody(sourceJson(content), []);
    yield* source;
  };
  yield u32((SOURCE | COMPRESSED) >>> 0);
  // Its errors are those of the iteration.
  yield* pipeline(Readable.from(body()), createZstdCompress(OPTIONS), () => {}) as AsyncIterable<Buffer>;
}

function sourceJson({ bodyStart, eightBit, smtpUtf8, lacks, replyTo }: SourceJson): SourceJson {
  return { bodyStart, eightBit, smtpUtf8, lacks, replyTo: replyTo === null ? null : plain(replyTo) };
}

/** What follows the JSON; a text stands for its UTF-8. */
interface Part {
  readonly bytes: string | Buffer;
  readonly length: number;
}

const part = (bytes: Buffer): Part => ({ bytes, length: bytes.length });

const scratch = new Scratch();

function encodeFrame(format: number, json: object, parts: readonly Part[]): Buffer {
  scratch.clear();
  const body = frameBody(json, parts, scratch);
  if (body.length < MIN_COMPRESSED) return Buffer.concat([u32(format), body]);
  // Text comes to a third. What is said of the size spares zstd most of the memory it would make ready.
  const options = { ...OPTIONS, chunkSize: chunkSizeFor(body.length / 2), pledgedSrcSize: body.length };
  return Buffer.concat([u32((format | COMPRESSED) >>> 0), zstdCompressSync(body, options)]);
}

/** Written into its place at once: a copy of a large body is most of the work. `room`: for one that is used up at once. */
function frameBody(json: object, parts: readonly Part[], room?: Scratch): Buffer {
  const text = JSON.stringify(json);
  const length = Buffer.byteLength(text);
  const size = parts.reduce((sum, one) => sum + one.length, 4 + length);
  const body = room === undefined ? Buffer.allocUnsafe(size) : room.keep(room.room(size), size);
  body.writeUInt32BE(length, 0);
  body.write(text, 4);
  let to = 4 + length;
  for (const { bytes } of parts) to += typeof bytes === 'string' ? body.write(bytes, to) : bytes.copy(body, to);
  return body;
}

/** node gathers what comes out in buffers of this size, 16 KB unless told: one that holds nearly all saves the joining. */
function chunkSizeFor(bytes: number): number {
  return Math.min(Math.max(Math.ceil(bytes / 4_096) * 4_096, 8_192), 256 * 1024);
}

/** Throws on anything those above did not make: stored content that cannot be read is a defect, not an outcome. */
export function decodeStored(stored: Buffer): Stored {
  const { compressed, kind, rest } = opened(stored);
  return unframed(kind, compressed ? decompress(rest) : rest);
}

function decompress(frame: Buffer): Buffer {
  const size = sizeInFrame(frame);
  // One octet more than there is: a full buffer makes node ready another.
  const chunkSize = size === null ? chunkSizeFor(frame.length * 4) : Math.min(Math.max(size + 1, 64), LARGE);
  return zstdDecompressSync(frame, { maxOutputLength: MAX_FRAME, chunkSize });
}

const MAGIC = 0xfd2fb528;

/** Of what a zstd frame unpacks to (RFC 8878 §3.1.1.1), where it says so. */
function sizeInFrame(frame: Buffer): number | null {
  if (frame.length < 18 || frame.readUInt32LE(0) !== MAGIC) return null;
  const descriptor = frame.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const idLength = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = (isSingleSegment ? 5 : 6) + idLength;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? frame.readUInt8(at) : null;
    case 1:
      return frame.readUInt16LE(at) + 256;
    case 2:
      return frame.readUInt32LE(at);
    default:
      return null;
  }
}

const decompressAside = promisify(zstdDecompress);

/** The same beside the event loop: for what may be large, which its packed size does not tell. */
export async function decodeLargeStored(stored: Buffer): Promise<Stored> {
  const { compressed, kind, rest } = opened(stored);
  return unframed(kind, compressed ? await decompressAside(rest, { maxOutputLength: MAX_FRAME }) : rest);
}

function opened(stored: Buffer) {
  const format = stored.readUInt32BE(0);
  const kind = format & ~COMPRESSED;
  if (kind !== PARTS && kind !== SOURCE) throw new Error(`stored content has the unknown format ${format}`);
  return { kind, compressed: (format & COMPRESSED) !== 0, rest: stored.subarray(4) };
}

function unframed(kind: number, body: Buffer): Stored {
  const jsonEnd = 4 + body.readUInt32BE(0);
  const json: unknown = JSON.parse(body.toString('utf8', 4, jsonEnd));
  const bytes = body.subarray(jsonEnd);
  if (kind === PARTS) return { kind: 'parts', content: withParts(json as StoredJson, bytes) };
  return { kind: 'source', content: { ...(json as SourceJson), source: bytes } };
}

/** Of what encodeContent has made, and nothing else. */
export function decodeContent(stored: Buffer): StoredContent {
  const { kind, content } = decodeStored(stored);
  if (kind === 'source') throw new Error('stored content is a source where parts were expected');
  return content;
}

/** Bodies of mail that was stored by earlier versions stand in the JSON itself. */
function withParts(json: StoredJson, bytes: Buffer): StoredContent {
  let at = 0;
  const next = (length: number) => bytes.subarray(at, (at += length));
  const bodyOf = (body: number | string | null) =>
    typeof body === 'string' ? Buffer.from(body) : body === null ? null : next(body);
  const html = bodyOf(json.html);
  const text = bodyOf(json.text);
  const attachments = json.attachments.map(({ name, contentType, contentId, size }) => ({
    name,
    contentType,
    contentId,
    content: next(size),
  }));
  if (at !== bytes.length) throw new Error('stored content is cut off or has something after its end');
  const content: StoredContent = {
    ...json,
    // Delivery has no use for them as text, and to make it of each large body is what filled its memory.
    get html() {
      return html?.toString() ?? null;
    },
    get text() {
      return text?.toString() ?? null;
    },
    attachments,
  };
  decodedBodies.set(content, { html, text });
  return content;
}

interface BodyBytes {
  readonly html: Buffer | null;
  readonly text: Buffer | null;
}

/** Of what was decoded, as they lie in the frame. */
const decodedBodies = new WeakMap<StoredContent, BodyBytes>();

/** The bodies in UTF-8. */
export function bodyBytes(content: StoredContent): BodyBytes {
  const decoded = decodedBodies.get(content);
  if (decoded !== undefined) return decoded;
  const { html, text } = content;
  return { html: html === null ? null : Buffer.from(html), text: text === null ? null : Buffer.from(text) };
}

function plain({ name, address }: StoredAddress): StoredAddress {
  return { name, address };
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
