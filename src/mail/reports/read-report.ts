// What arrives at a report address: a DMARC or TLS report as such, packed, or as a mail that carries it.
import { leavesOf } from '../mime/incoming-mail.ts';
import { asBuffer } from '../mime/line-ends.ts';
import { contentOf, headerOf, type MimePart, parseStructure } from '../mime/structure.ts';
import { type DmarcReport, parseDmarcReport } from './dmarc.ts';
import { type RefusalReason, REPORT_LIMITS, type ReportLimits, ReportRefused } from './limits.ts';
import { parseTlsReport, type TlsReport } from './tls.ts';
import { containerOf, unpack } from './unpack.ts';

export type ReadReport =
  | { readonly ok: true; readonly kind: 'dmarc'; readonly report: DmarcReport }
  | { readonly ok: true; readonly kind: 'tls'; readonly report: TlsReport }
  | { readonly ok: false; readonly reason: RefusalReason; readonly message: string };

/** A packed file in a packed file has been seen (`.xml.gz` in a zip); three are a bomb. */
const MAX_NESTING = 2;
/** Parts of a mail that are tried. */
const MAX_PARTS = 20;
const MAX_JUNK = 20_000;

/** In this thread; `readReport` of mime/offload.ts decides where. */
export async function parseReport(source: Uint8Array, limits: ReportLimits = REPORT_LIMITS): Promise<ReadReport> {
  try {
    const bytes = asBuffer(source);
    const found = (await inFile(bytes, limits, 0)) ?? (await inMail(source, limits)) ?? behindJunk(bytes, limits);
    return found ?? { ok: false, reason: 'NO_REPORT', message: 'holds no report' };
  } catch (error) {
    if (error instanceof ReportRefused) return { ok: false, reason: error.reason, message: error.message };
    throw error;
  }
}

async function inFile(bytes: Buffer, limits: ReportLimits, nesting: number): Promise<ReadReport | null> {
  const container = containerOf(bytes);
  if (container !== null) {
    if (nesting >= MAX_NESTING) throw new ReportRefused('TOO_BIG', 'is packed too often');
    for (const file of await unpack(bytes, container, limits)) {
      const found = await inFile(file, limits, nesting + 1);
      if (found !== null) return found;
    }
    return null;
  }
  if (bytes.length > limits.maxUnpacked) throw new ReportRefused('TOO_BIG', 'is too big');
  const start = beginning(bytes);
  if (start === '<') {
    const report = parseDmarcReport(bytes, limits);
    return report === null ? null : { ok: true, kind: 'dmarc', report };
  }
  if (start === '{') {
    const report = parseTlsReport(bytes, limits);
    return report === null ? null : { ok: true, kind: 'tls', report };
  }
  return null;
}

/** XML that something stands before: a log line, the header of a broken mail. */
function behindJunk(bytes: Buffer, limits: ReportLimits): ReadReport | null {
  if (bytes.length > limits.maxUnpacked) return null;
  if (!/<(?:\w{1,20}:)?feedback[\s>]/.test(bytes.toString('latin1', 0, MAX_JUNK))) return null;
  const report = parseDmarcReport(bytes, limits);
  return report === null ? null : { ok: true, kind: 'dmarc', report };
}

/** The first character that is neither white space nor a mark of the byte order; UTF-16 has zeros between. */
function beginning(bytes: Buffer): string {
  const text = bytes.toString('latin1', 0, 200).replace(/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, '');
  return text.replaceAll('\0', '').trimStart().charAt(0);
}

async function inMail(source: Uint8Array, limits: ReportLimits): Promise<ReadReport | null> {
  const { root } = parseStructure(source);
  if (root.headers.length === 0) return null;
  const parts = leavesOf(root).flatMap((part) => [part, ...part.children.flatMap((message) => leavesOf(message))]);
  let refusal: ReportRefused | null = null;
  for (const part of parts.slice(0, MAX_PARTS)) {
    try {
      const found = await inFile(fileOf(part), limits, 0);
      if (found !== null) return found;
    } catch (error) {
      if (!(error instanceof ReportRefused)) throw error;
      // An HTML text beside the report has a document type, and is no report.
      if (mayBeReport(part)) refusal ??= error;
    }
  }
  if (refusal !== null) throw refusal;
  return null;
}

/** Also where the encoding was forgotten: so gzip and zip begin in base64. */
function fileOf(part: MimePart): Buffer {
  const content = contentOf(part);
  return part.encoding === 'identity' && /^\s{0,20}(?:H4sI|UEsDB)/.test(content.toString('latin1', 0, 40))
    ? Buffer.from(content.toString('latin1'), 'base64')
    : content;
}

function mayBeReport(part: MimePart): boolean {
  return (
    part.type !== 'text/html' && (part.type !== 'text/plain' || headerOf(part, 'content-disposition') !== undefined)
  );
}
