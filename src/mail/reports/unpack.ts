// Gzip and zip, with an end to how much may come out. Nothing is written anywhere: names of entries are only looked at.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';
import { type ReportLimits, ReportRefused } from './limits.ts';

const gunzipAsync = promisify(gunzip);

export type Container = 'gzip' | 'zip' | null;

export function containerOf(bytes: Buffer): Container {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'gzip';
  return bytes.readUInt32BE === undefined || bytes.length < 22 || bytes.readUInt32BE(0) !== 0x504b0304 ? null : 'zip';
}

/** What is packed in it; a gzip file holds one, a zip file some. */
export async function unpack(bytes: Buffer, container: 'gzip' | 'zip', limits: ReportLimits): Promise<Buffer[]> {
  const most = Math.min(limits.maxUnpacked, Math.max(limits.freeUnpacked, bytes.length * limits.maxRatio));
  return container === 'gzip' ? [await ungzip(bytes, most)] : await unzip(bytes, most, limits);
}

async function ungzip(bytes: Buffer, most: number): Promise<Buffer> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: most });
  } catch (error) {
    const tooBig = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new ReportRefused(
      tooBig ? 'TOO_BIG' : 'BAD_ARCHIVE',
      tooBig ? 'unpacks to too much' : 'is no whole gzip file',
    );
  }
}

async function unzip(bytes: Buffer, most: number, limits: ReportLimits): Promise<Buffer[]> {
  const files: Buffer[] = [];
  let left = most;
  let entries = 0;
  try {
    const zip = await open(bytes);
    for await (const entry of entriesOf(zip)) {
      entries++;
      if (entries > limits.maxEntries) throw new ReportRefused('TOO_BIG', 'holds too many files');
      if (entry.fileName.endsWith('/') || entry.fileName.startsWith('__MACOSX')) continue;
      if (entry.uncompressedSize > left) throw new ReportRefused('TOO_BIG', 'unpacks to too much');
      const file = await contentOf(zip, entry, left);
      left -= file.length;
      files.push(file);
    }
  } catch (error) {
    if (error instanceof ReportRefused) throw error;
    throw new ReportRefused('BAD_ARCHIVE', `is no zip file that may be read: ${String(error)}`);
  }
  return files;
}

/** strictFileNames and the check of names refuse absolute paths, `..` and backslashes. */
function open(bytes: Buffer): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true, strictFileNames: true, validateEntrySizes: true }, (error, zip) => {
      if (error) reject(error);
      else resolve(zip);
    });
  });
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const entry = await new Promise<Entry | null>((resolve, reject) => {
      const done = () => {
        zip.removeAllListeners('entry').removeAllListeners('end').removeAllListeners('error');
      };
      zip.once('entry', (next: Entry) => (done(), resolve(next)));
      zip.once('end', () => (done(), resolve(null)));
      zip.once('error', (error: Error) => (done(), reject(error)));
      zip.readEntry();
    });
    if (entry === null) return;
    yield entry;
  }
}

async function contentOf(zip: ZipFile, entry: Entry, most: number): Promise<Buffer> {
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => {
      if (error) reject(error);
      else resolve(opened);
    });
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    // The directory may say less than comes out.
    if (size > most) throw new ReportRefused('TOO_BIG', 'unpacks to too much');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
