// Attachments of inbound messages, behind links that prove themselves. Strangers wrote them: they leave as downloads, under
// a type that no browser runs, and nothing in them may do anything on this origin.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { plain } from './health.ts';

export const ATTACHMENT_PATH = '/inbound-attachments/';

/** Null: there is nothing, for whatever reason. */
export type OpenAttachment = (link: string) => Promise<{
  readonly name: string | null;
  readonly contentType: string;
  readonly content: Uint8Array;
} | null>;

/** Data to any browser. All else, and what carries scripts (HTML, SVG, XML) above all, is octets. */
const INERT =
  /^(?:image\/(?:png|jpeg|gif|webp|avif|heic|bmp|tiff)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/(?:pdf|zip|gzip|json|rtf|msword|vnd\.[\w.+-]+(?<!xml))|text\/(?:plain|csv|calendar))$/;
const MAX_NAME = 200;

export async function answerAttachment(
  open: OpenAttachment,
  path: string,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const file = await open(path.slice(ATTACHMENT_PATH.length));
  // Neither why, nor whether there ever was one.
  if (file === null) return plain(response, 404, 'not found');
  const { name, contentType, content } = file;
  response.writeHead(200, {
    'Content-Type': safeType(contentType),
    'Content-Length': content.length,
    'Content-Disposition': disposition(name ?? 'attachment'),
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}

function safeType(contentType: string): string {
  const type = contentType.toLowerCase();
  return INERT.test(type) ? type : 'application/octet-stream';
}

/** RFC 6266: a name for all, and the real one for who reads RFC 8187. Without folders, and nothing that ends a header. */
export function disposition(name: string): string {
  const bare = name
    .toWellFormed()
    .replace(/[\\/:\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '_')
    .slice(0, MAX_NAME);
  const ascii = bare.replace(/[^\x20-\x7e]|["%]/g, '_');
  const encoded = encodeURIComponent(bare.toWellFormed()).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
