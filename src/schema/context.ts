// What every resolver gets: who asks, and what the process has. Rights are always those in one account: a token has one, a
// person one for each membership; `within` gives them for the account that a row belongs to, and nothing else does.
import { createContextCache } from '@pothos/core';
import { type ReadScope, reachOf, readScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import { Unauthenticated } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Permission } from '#/domain/permissions.ts';
import type { Person } from '#/domain/person.ts';
import type { Caller } from '#/resolvers/define.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { recordLook } from '#/resolvers/staff-access/record-look.ts';
import type { Cookies, Visitor } from '#/resolvers/visitor.ts';

/** With a token, or signed in. */
export type Asker = { readonly actor: Actor } | { readonly person: Person };

interface RequestFacts {
  readonly requestId: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly cookies: Cookies | null;
  readonly signal: AbortSignal;
}

export interface Context extends RequestFacts {
  readonly deps: Deps;
  /** Null: nobody. */
  readonly asker: Asker | null;
  /** One for each account that the asker may act in. */
  readonly callers: readonly Caller[];
  /** What staff looked at in this operation. Not in a cache, which a subscription empties for each event: one row, not one an event. */
  readonly looks: Map<string, Promise<void>>;
}

/** Somebody's rights in one account. */
export interface AccountContext {
  readonly accountId: string;
  readonly deps: Deps;
  readonly caller: Caller;
  /** All that the caller may see of the account. */
  readonly scope: ReadScope;
}

export function createContext(
  deps: Deps,
  asker: Asker | null,
  { requestId, ipAddress, userAgent, cookies, signal }: RequestFacts,
): Context {
  const actors = asker === null ? [] : 'person' in asker ? asker.person.actors : [asker.actor];
  const callers = actors.map((actor): Caller => ({ actor, requestId, ipAddress }));
  return { deps, asker, callers, looks: new Map(), requestId, ipAddress, userAgent, cookies, signal };
}

const accounts = createContextCache((_context: Context) => new Map<string, AccountContext>());

/** The asker's rights in the account of a row that was found for them. */
export function within(context: Context, accountId: string): AccountContext {
  const found = rightsIn(context, accountId);
  if (found === null) throw new Unauthenticated();
  return found;
}

/** Null: the asker has none there. */
export function rightsIn(context: Context, accountId: string): AccountContext | null {
  const known = accounts(context).get(accountId);
  if (known !== undefined) return known;
  const caller = context.callers.find(({ actor }) => actor.accountId === accountId);
  if (caller === undefined) return null;
  const { deps } = context;
  const made = { accountId, deps, caller, scope: readScope(deps.db, reachOf(caller.actor, null)) };
  accounts(context).set(accountId, made);
  return made;
}

/** All accounts of the asker, for the search of what an id names. */
export function everywhere(context: Context): readonly AccountContext[] {
  return context.callers.map(({ actor }) => within(context, actor.accountId));
}

/**
 * Before anything of an account is handed out that was found by its id. Staff of the installation look at nothing that is
 * not on record: once for each operation and thing.
 */
export function enter(context: Context, { caller, deps }: AccountContext, subjectId: string): Promise<void> {
  if (caller.actor.kind !== 'STAFF') return Promise.resolve();
  return once(context, subjectId, () => recordLook(deps, caller, { subjectIds: [subjectId] }));
}

/** The same for a field that a permission guards, which leads on from there: once for each operation and place. */
export function recordUse(
  context: Context,
  { accountId, caller, deps }: AccountContext,
  permission: Permission,
  serverId: string | null,
): Promise<void> {
  const subjectId = serverId === null ? encodeId('account', accountId) : encodeId('server', serverId);
  return once(context, `${permission} ${subjectId}`, () =>
    recordLook(deps, caller, { subjectIds: [subjectId], permission }),
  );
}

function once({ looks }: Context, key: string, record: () => Promise<void>): Promise<void> {
  const looking = looks.get(key) ?? record();
  looks.set(key, looking);
  return looking;
}

/** For use-cases that are about people. */
export function visitorOf({ asker, requestId, ipAddress, userAgent, cookies }: Context): Visitor {
  return {
    person: asker !== null && 'person' in asker ? asker.person : null,
    requestId,
    ipAddress: ipAddress ?? 'unknown',
    userAgent: userAgent ?? '',
    cookies,
  };
}

export function personOf({ asker }: Context): Person {
  if (asker === null || !('person' in asker)) throw new Unauthenticated('A signed-in person is required.');
  return asker.person;
}
