// Where a token may stand: in a header, or in connection_init. Never in a URL, which ends in logs, histories and referrers.
import type { IncomingHttpHeaders } from 'node:http';
import { refused } from './errors.ts';

/** A token of ours anywhere, or a parameter that is meant to hold one. */
const IN_URL = /vr[stau]_[0-9A-Za-z]{38}|[?&](?:token|access[_-]?token|api[_-]?key|authorization|x-veredus-token)=/i;

/** Throws RequestFault. */
export function refuseTokenInUrl(url: string): void {
  const query = url.indexOf('?');
  if (query === -1) return;
  const search = url.slice(query);
  if (IN_URL.test(search) || (search.includes('%') && IN_URL.test(unescaped(search)))) {
    throw refused(
      400,
      'TOKEN_IN_URL',
      'A token in a URL is refused, also a valid one: send it in the header Authorization.',
    );
  }
}

function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Null: the caller shows no token. Throws RequestFault for one that is shown wrongly. */
export function tokenInHeaders(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization !== undefined && authorization !== '') return bearer(authorization);
  const own = headers['x-veredus-token'];
  return typeof own === 'string' && own !== '' ? own.trim() : null;
}

/** From the payload of connection_init: `token`, or the same names as among the headers, also within `headers`. */
export function tokenInParams(params: Readonly<Record<string, unknown>> | undefined): string | null {
  const { headers } = params ?? {};
  const within = typeof headers === 'object' && headers !== null ? Object.entries(headers) : [];
  for (const [name, value] of [...Object.entries(params ?? {}), ...within]) {
    if (typeof value !== 'string' || value === '') continue;
    const lower = name.toLowerCase();
    if (lower === 'authorization') return bearer(value);
    if (lower === 'token' || lower === 'x-veredus-token') return value.trim();
  }
  return null;
}

function bearer(authorization: string): string | null {
  // RFC 9110 §11.1: the scheme's name is case-insensitive. Without a token, as a form that waits for one sends it
  // (GraphiQL's headers), it shows none.
  if (/^bearer *$/i.test(authorization)) return null;
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated('Authorization must be `Bearer` and a token.');
  return token;
}

export function unauthenticated(message: string) {
  return refused(401, 'UNAUTHENTICATED', message, { 'www-authenticate': 'Bearer' });
}
