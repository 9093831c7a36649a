// Who may open a WebSocket from a browser.
import type { IncomingMessage } from 'node:http';

/** A cookie that the browser adds by itself must not open sockets for pages of other origins (ASVS 4.4.2). */
export function isForeignWithCookie(request: IncomingMessage, publicUrl: string): boolean {
  const { cookie, origin } = request.headers;
  if (cookie === undefined || origin === undefined) return false;
  return URL.parse(origin)?.host !== new URL(publicUrl).host;
}
