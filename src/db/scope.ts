// The right to touch rows, as a value. A scope is minted here and nowhere else (a test bans casts to it): a query that
// takes one cannot be called without an actor who was checked, and says in its type whether it may write.
import type { Transaction } from 'kysely';
import type { ReadonlyKysely } from 'kysely/readonly';
import type { Actor } from '#/domain/permissions.ts';
import type { Database } from './client.ts';
import type { DB } from './tables.gen.ts';

declare const reading: unique symbol;
declare const writing: unique symbol;
declare const system: unique symbol;

/** How far an actor reaches: always one account; one server or one stream of it where the actor is bound to that. */
export interface Reach {
  readonly accountId: string;
  readonly serverId: string | null;
  readonly streamId: string | null;
}

export interface ReadScope extends Reach {
  readonly [reading]: true;
  readonly db: ReadonlyKysely<DB>;
}

/** A transaction in which rows of one account may change. Only the `command` wrapper opens one. */
export interface WriteScope extends ReadScope {
  readonly [writing]: true;
  readonly tx: Transaction<DB>;
  readonly now: Date;
}

/** A transaction of a worker that records for many accounts at once; every row it writes names its account. */
export interface SystemWriteScope {
  readonly [system]: true;
  readonly tx: Transaction<DB>;
  readonly now: Date;
}

/** Held by workers of the installation (delivery, feed, maintenance); minted once, in app.ts. */
export interface SystemScope {
  readonly [system]: true;
  readonly db: Database;
}

export function reachOf(actor: Actor): Reach {
  return {
    accountId: actor.accountId,
    serverId: actor.kind === 'SERVER_TOKEN' ? actor.serverId : null,
    streamId: actor.kind === 'SERVER_TOKEN' ? actor.streamId : null,
  };
}

export function readScope(db: ReadonlyKysely<DB> | Database, reach: Reach): ReadScope {
  return { accountId: reach.accountId, serverId: reach.serverId, streamId: reach.streamId, db } as unknown as ReadScope;
}

export function writeInScope<T>(
  db: Database,
  reach: Reach,
  now: Date,
  run: (scope: WriteScope) => Promise<T>,
): Promise<T> {
  return db.transaction().execute((tx) => run({ ...readScope(db, reach), db: tx, tx, now } as unknown as WriteScope));
}

export function systemScope(db: Database): SystemScope {
  return { db } as unknown as SystemScope;
}

export function writeInSystemScope<T>(
  scope: SystemScope,
  now: Date,
  run: (scope: SystemWriteScope) => Promise<T>,
): Promise<T> {
  return scope.db.transaction().execute((tx) => run({ tx, now } as unknown as SystemWriteScope));
}

/** For a write of a single statement, which is a transaction by itself and saves the round trips of opening one. */
export function writeStatement<T>(
  scope: SystemScope,
  now: Date,
  run: (scope: SystemWriteScope) => Promise<T>,
): Promise<T> {
  return run({ tx: scope.db, now } as unknown as SystemWriteScope);
}

/** The scope of one account inside a transaction of the installation. */
export function scopeOfAccount(scope: SystemWriteScope, accountId: string): WriteScope {
  const { tx, now } = scope;
  return { ...readScope(tx, { accountId, serverId: null, streamId: null }), tx, now } as unknown as WriteScope;
}
