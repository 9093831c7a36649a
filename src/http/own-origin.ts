// Which pages a browser may call us from with its cookies.
import type { IncomingMessage } from 'node:http';

/**
 * A cookie that the browser adds by itself must not open sockets or run operations for pages of other origins (ASVS
 * 4.4.2). Own origins: the public URL, and the host that the request itself names, which a page cannot choose. Where the
 * public URL is https, a page of the same host that came in the clear is whoever stands between.
 *
 * Images, scripts and links send no `Origin`; browsers say then whether another site or subdomain asks (Fetch Metadata).
 */
export function isForeign({ headers }: IncomingMessage, publicUrl: string): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return /^(?:cross|same)-site$/.test(String(headers['sec-fetch-site']));
  const from = URL.parse(origin);
  const own = new URL(publicUrl);
  if (from?.host === own.host) return from.protocol === 'http:' && own.protocol === 'https:';
  return from === null || from.host !== host;
}

export function isForeignWithCookie(request: IncomingMessage, publicUrl: string): boolean {
  return request.headers.cookie !== undefined && isForeign(request, publicUrl);
}
