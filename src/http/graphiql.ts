// GraphiQL from this server alone: the page holds its scripts, styles and workers (9 MB; 2.5 compressed) and asks nobody.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** The page's scripts stand in it, its workers are blobs, its fonts and pictures data. */
const POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval' blob:",
  'worker-src blob:',
  "style-src 'unsafe-inline'",
  'img-src data: blob:',
  'font-src data:',
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

let page: Promise<Buffer> | null = null;

export async function answerGraphiQL(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const compressed = await (page ??= render());
  response.setHeader('Content-Security-Policy', POLICY);
  response.setHeader('Vary', 'Accept');
  if (!/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
    response
      .writeHead(406, { 'Content-Type': 'text/plain; charset=utf-8' })
      .end('This page is served with gzip only.\n');
    return;
  }
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Encoding': 'gzip',
    'Content-Length': compressed.length,
    // Stays the same while this version runs.
    'Cache-Control': 'private, max-age=3600',
  });
  response.end(compressed);
}

/** In a thread that ends with it: the package's texts are 30 MB, which each process would hold from its start to its end. */
async function render(): Promise<Buffer> {
  const thread = new Worker(new URL('./graphiql-page.ts', import.meta.url));
  try {
    const [bytes] = (await once(thread, 'message')) as [Uint8Array];
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    page = null;
    throw error;
  } finally {
    void thread.terminate();
  }
}
