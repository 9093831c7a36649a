// What the transports share about a request.
import type { Actor } from '#/domain/actor.ts';
import type { Person } from '#/domain/person.ts';
import type { Cookies } from '#/resolvers/visitor.ts';

interface Authenticated {
  readonly expiresAt: Date | null;
  /** The token, or the way it calls, will stop working then. */
  readonly deprecation: { readonly sunset: Date } | null;
}

export type AuthenticatedCaller =
  /** With a token of a server or account. */
  | (Authenticated & { readonly actor: Actor })
  /** With a session. */
  | (Authenticated & { readonly person: Person });

/** What a request shows of itself to be let in. */
export interface Credentials {
  readonly secret: string;
  readonly ipAddress: string;
  /** The browser added it by itself. */
  readonly byCookie: boolean;
}

export interface RequestInfo {
  /** Also in the header X-Request-Id and in the extensions of masked errors. */
  readonly requestId: string;
  readonly ipAddress: string;
  readonly userAgent: string | null;
  readonly transport: 'http' | 'sse' | 'websocket';
  /** Null where none can be set. */
  readonly cookies: Cookies | null;
  /** Aborts on timeout, when nobody waits for the answer of a query any more, and at the end of a subscription. */
  readonly signal: AbortSignal;
}

/** As the request's body or query string has them. */
export interface Params {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What connections are counted and ended by: the token, or the session. */
export function credentialIdOf(caller: AuthenticatedCaller | null): string | null {
  if (caller === null) return null;
  if ('person' in caller) return caller.person.session.id;
  return 'tokenId' in caller.actor ? caller.actor.tokenId : null;
}

/** What cost points are taken from: a person has one purse, however many sessions. */
export function purseOf(caller: AuthenticatedCaller | null): string | null {
  return caller !== null && 'person' in caller ? caller.person.userId : credentialIdOf(caller);
}
