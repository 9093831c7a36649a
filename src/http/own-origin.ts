// Which pages a browser may call us from with its cookies.
import type { IncomingMessage } from 'node:http';

/**
 * A cookie that the browser adds by itself must not open sockets or run operations for pages of other origins (ASVS
 * 4.4.2). Own origins: the public URL, and the host that the request itself names, which a page cannot choose.
 */
export function isForeign(request: IncomingMessage, publicUrl: string): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return false;
  const from = URL.parse(origin)?.host;
  return from === undefined || (from !== host && from !== new URL(publicUrl).host);
}

export function isForeignWithCookie(request: IncomingMessage, publicUrl: string): boolean {
  return request.headers.cookie !== undefined && isForeign(request, publicUrl);
}
