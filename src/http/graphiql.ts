// GraphiQL from this server alone: the page holds its scripts, styles and workers (9 MB; 2.5 compressed) and asks nobody.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

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

const EXAMPLE = `# Put a token into the tab "Headers" below: {"Authorization": "Bearer vrt_…"}
# Subscriptions run over server-sent events with the same headers.

query {
  __typename
}
`;

let page: Promise<Buffer> | null = null;

export async function answerGraphiQL(request: IncomingMessage, response: ServerResponse): Promise<void> {
  page ??= render();
  const compressed = await page;
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

function render(): Promise<Buffer> {
  return promisify(gzip)(
    renderGraphiQL({
      title: 'Veredus GraphiQL',
      defaultQuery: EXAMPLE,
      headers: JSON.stringify({ Authorization: 'Bearer ' }, null, 2),
      // A token kept in the browser's storage would outlive the tab.
      shouldPersistHeaders: false,
      subscriptionsProtocol: 'SSE',
      // Its default for subscriptions is GET, which puts variables into the URL.
      method: 'POST',
      credentials: 'omit',
      inputValueDeprecation: true,
    }),
  );
}
