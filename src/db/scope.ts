// The right to touch rows, as a value. A scope is minted here and nowhere else (a test bans casts to it): a query that
// takes one cannot be called without an actor who was checked, and says in its type whether it may write.
import { type RawBuilder, sql, type Transaction } from 'kysely';
import type { ReadonlyKysely } from 'kysely/readonly';
import { type Actor, serversOf } from '#/domain/actor.ts';
import type { Permission } from '#/domain/permissions.ts';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { DB } from './tables.gen.ts';

declare const reading: unique symbol;
declare const writing: unique symbol;
declare const system: unique symbol;

/** How far an actor reaches: always one account; some servers or one stream of it where the actor is bound to these. */
export interface Reach {
  readonly accountId: string;
  /** Null: all of the account's. */
  readonly servers: readonly string[] | null;
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

/** With a permission: only the servers on which the actor has it. */
export function reachOf(actor: Actor, permission: Permission | null): Reach {
  return {
    accountId: actor.accountId,
    servers: serversOf(actor, permission),
    streamId: actor.kind === 'SERVER_TOKEN' ? actor.streamId : null,
  };
}

export function readScope(db: ReadonlyKysely<DB> | Database, { accountId, servers, streamId }: Reach): ReadScope {
  return { accountId, servers, streamId, db } as unknown as ReadScope;
}

/** The condition that keeps a query within the servers of its scope; null when it reaches all of them. */
export function withinServers({ servers }: Reach, column: string): RawBuilder<boolean> | null {
  if (servers === null) return null;
  const [only] = servers;
  return servers.length === 1 && only !== undefined
    ? sql<boolean>`${sql.ref(column)} = ${only}::uuid`
    : sql<boolean>`${sql.ref(column)} = any(${array('uuid', servers)})`;
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
  return { ...readScope(tx, { accountId, servers: null, streamId: null }), tx, now } as unknown as WriteScope;
}
