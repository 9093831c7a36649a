// The two cookies: a session, and the device that it was begun on. `__Host-` (RFC 6265bis §4.1.3.2): Secure, for this host
// alone, for all paths; browsers take them from http://localhost too. Strict: no other site's link or form brings them.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Cookies } from '#/resolvers/visitor.ts';

const SESSION = '__Host-veredus-session';
const DEVICE = '__Host-veredus-device';
const ATTRIBUTES = 'Path=/; HttpOnly; Secure; SameSite=Strict';
/** 400 days: the most that browsers keep. */
const DEVICE_SECONDS = 34_560_000;

export function sessionInCookie(headers: IncomingHttpHeaders): string | null {
  return cookieOf(headers, SESSION);
}

export function cookiesOf(headers: IncomingHttpHeaders, response: ServerResponse, now: () => Date): Cookies {
  const set = (name: string, value: string, seconds: number) => {
    if (response.headersSent) return;
    // A later one of the same name takes the place of the one before: a document may sign in twice.
    const others = [response.getHeader('Set-Cookie') ?? []].flat().map(String);
    const kept = others.filter((text) => !text.startsWith(`${name}=`));
    response.setHeader('Set-Cookie', [...kept, `${name}=${value}; Max-Age=${seconds}; ${ATTRIBUTES}`]);
  };
  return {
    device: cookieOf(headers, DEVICE),
    startSession: (secret, expiresAt) =>
      set(SESSION, secret, Math.max(0, Math.floor((expiresAt.getTime() - now().getTime()) / 1_000))),
    endSession: () => set(SESSION, '', 0),
    rememberDevice: (secret) => set(DEVICE, secret, DEVICE_SECONDS),
  };
}

function cookieOf({ cookie }: IncomingHttpHeaders, name: string): string | null {
  if (cookie === undefined) return null;
  for (const pair of cookie.split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name && value !== undefined && value !== '') return value;
  }
  return null;
}
