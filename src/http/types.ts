// What the transports share about a request.
import type { Actor } from '#/domain/permissions.ts';

export interface AuthenticatedCaller {
  readonly actor: Actor;
  readonly expiresAt: Date | null;
  /** The token, or the way it calls, will stop working then. */
  readonly deprecation: { readonly sunset: Date } | null;
}

export interface RequestInfo {
  /** Also in the header X-Request-Id and in the extensions of masked errors. */
  readonly requestId: string;
  readonly ipAddress: string;
  readonly userAgent: string | null;
  readonly transport: 'http' | 'sse' | 'websocket';
  /** Aborts on timeout, when nobody waits for the answer of a query any more, and at the end of a subscription. */
  readonly signal: AbortSignal;
}

/** As the request's body or query string has them. */
export interface Params {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
}

export function tokenIdOf(caller: AuthenticatedCaller | null): string | null {
  return caller === null || caller.actor.kind === 'OPERATOR' ? null : caller.actor.tokenId;
}
