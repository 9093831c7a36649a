// What every resolver gets: who asks, the right to read that follows from it, and what the process has.
import { type ReadScope, reachOf, readScope } from '#/db/scope.ts';
import { Unauthenticated } from '#/domain/errors.ts';
import type { Actor } from '#/domain/permissions.ts';
import type { Caller } from '#/resolvers/define.ts';
import type { Deps } from '#/resolvers/deps.ts';

export interface Context {
  readonly deps: Deps;
  /** Null: nobody. */
  readonly caller: Caller | null;
  readonly scope: ReadScope | null;
  readonly signal: AbortSignal;
  readonly requestId: string;
}

/** The context of a field whose scopes say that somebody asks. */
export interface SignedContext extends Context {
  readonly caller: Caller;
  readonly scope: ReadScope;
}

export function createContext(
  deps: Deps,
  caller: { readonly actor: Actor } | null,
  request: { readonly requestId: string; readonly ipAddress: string | null; readonly signal: AbortSignal },
): Context {
  const { requestId, ipAddress, signal } = request;
  if (caller === null) return { deps, caller: null, scope: null, signal, requestId };
  const { actor } = caller;
  const scope = readScope(deps.db, reachOf(actor));
  return { deps, caller: { actor, requestId, ipAddress }, scope, signal, requestId };
}

export function scopeOf({ scope }: Context): ReadScope {
  if (scope === null) throw new Unauthenticated();
  return scope;
}
