// Headers that stand on every answer.
import type { ServerResponse } from 'node:http';
import type { Balance } from './limits/rate-limit.ts';
import type { AuthenticatedCaller } from './types.ts';

const NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Two years, the least that the preload lists take. */
const HSTS = 'max-age=63072000';

export function setSecurityHeaders(response: ServerResponse, tls: boolean, requestId: string): void {
  response.setHeader('X-Request-Id', requestId);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Content-Security-Policy', NOTHING_LOADS);
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  response.setHeader('Cache-Control', 'no-store');
  if (tls) response.setHeader('Strict-Transport-Security', HSTS);
}

export function setBalanceHeaders(response: ServerResponse, balance: Balance | null): void {
  if (balance === null) return;
  response.setHeader('RateLimit-Limit', balance.limit);
  response.setHeader('RateLimit-Remaining', balance.available);
  response.setHeader('RateLimit-Reset', balance.resetAfter);
}

/** RFC 9745 and RFC 8594. */
export function setDeprecationHeaders(response: ServerResponse, caller: AuthenticatedCaller | null): void {
  if (caller?.deprecation == null) return;
  const { since, sunset } = caller.deprecation;
  response.setHeader('Deprecation', `@${Math.floor(since.getTime() / 1_000)}`);
  response.setHeader('Sunset', sunset.toUTCString());
}
