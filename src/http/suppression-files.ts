// Files of suppressions, behind links that prove themselves: sent to us as a body that is never held whole, and written out
// no faster than whoever fetches it reads.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAX_IMPORT_BYTES } from '#/domain/suppression-file.ts';
import type { Clock } from '#/runtime/ports.ts';
import { disposition } from './attachment.ts';
import { plain } from './health.ts';

const IMPORTS = '/suppression-imports/';
const EXPORTS = '/suppression-exports/';
/** Whoever reads nothing for so long has gone. */
const STALL_MS = 60_000;

export interface SuppressionFiles {
  receive(
    link: string,
    body: AsyncIterable<Uint8Array>,
  ): Promise<
    | { readonly kind: 'received'; readonly id: string }
    | { readonly kind: 'unknown' | 'taken' | 'tooLarge' }
    | { readonly kind: 'unusable'; readonly flaw: string }
  >;
  /** Null: there is nothing, for whatever reason. */
  open(link: string): Promise<{ readonly name: string; readonly content: AsyncIterable<string> } | null>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly clock: Clock;
}

export function isSuppressionFile(path: string): boolean {
  return path.startsWith(IMPORTS) || path.startsWith(EXPORTS);
}

export function answerSuppressionFile(files: SuppressionFiles, path: string, exchange: Exchange): Promise<void> {
  return path.startsWith(IMPORTS)
    ? answerUpload(files, path.slice(IMPORTS.length), exchange)
    : answerDownload(files, path.slice(EXPORTS.length), exchange);
}

async function answerUpload(files: SuppressionFiles, link: string, { request, response }: Exchange): Promise<void> {
  const refuse = (status: number, text: string) => {
    // What is left of the body is not read.
    response.setHeader('Connection', 'close');
    plain(response, status, text);
  };
  const { method, headers } = request;
  if (method !== 'PUT' && method !== 'POST') return refuse(405, 'send the file with PUT');
  const { 'content-encoding': encoding = 'identity', 'content-type': type = '' } = headers;
  if (encoding !== 'identity') return refuse(415, 'send the file without Content-Encoding');
  if (type.startsWith('multipart/')) return refuse(415, 'send the file as the body itself, not as a form');
  if (Number(headers['content-length'] ?? 0) > MAX_IMPORT_BYTES) return refuse(413, tooLarge);
  const receipt = await files.receive(link, request).catch((error: unknown) => {
    // Cut by its sender, who is not there to hear of it.
    if (request.destroyed && !request.complete) return null;
    throw error;
  });
  switch (receipt?.kind) {
    case undefined:
      return void response.destroy();
    case 'received':
      response.writeHead(202, { 'Content-Type': 'application/json' });
      return void response.end(JSON.stringify({ id: receipt.id }));
    case 'unknown':
      return refuse(404, 'not found');
    case 'taken':
      return refuse(409, 'this import has its file, or another upload of it has begun');
    case 'tooLarge':
      return refuse(413, tooLarge);
    case 'unusable':
      return refuse(422, receipt.flaw);
    default:
      return receipt satisfies never;
  }
}

const tooLarge = `a file may have at most ${MAX_IMPORT_BYTES} bytes; send several, each to its own import`;

async function answerDownload(
  files: SuppressionFiles,
  link: string,
  { request, response, clock }: Exchange,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Connection', 'close');
    return plain(response, 405, 'method not allowed');
  }
  const file = await files.open(link);
  // Neither why, nor whether there ever was one.
  if (file === null) return plain(response, 404, 'not found');
  response.writeHead(200, {
    'Content-Type': 'text/csv; charset=utf-8; header=present',
    'Content-Disposition': disposition(file.name),
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'X-Content-Type-Options': 'nosniff',
  });
  if (request.method === 'GET') {
    for await (const part of file.content) {
      // Whoever went while the next rows were read is not waited for.
      if (response.destroyed) return;
      if (!response.write(part)) await drained(response, clock);
    }
  }
  response.end();
}

async function drained(response: ServerResponse, clock: Clock): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const stalled = clock.sleep(STALL_MS, signal).then(() => 'stalled' as const);
  const ended = ['drain', 'close'].map((event) => once(response, event, { signal }));
  try {
    if ((await Promise.race([stalled, ...ended])) === 'stalled') response.destroy();
  } finally {
    over.abort();
    await Promise.allSettled(ended);
  }
}
