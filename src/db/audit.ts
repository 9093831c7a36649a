// The account's record of every act that matters for its security. Written by the `command` wrapper, in the command's
// own transaction; never changed.
import { type Selectable, sql } from 'kysely';
import { type Actor, actorIdOf } from '#/domain/actor.ts';
import { array } from './arrays.ts';
import type { ReadScope, WriteScope } from './scope.ts';
import type { AuditLogTable } from './tables.gen.ts';

export type AuditRow = Selectable<AuditLogTable>;

export interface AuditRecord {
  /** e.g. `stream.create`. */
  readonly action: string;
  /** Public ids of what it was done to. */
  readonly subjectIds: readonly string[];
  /** Before and after, without secrets. */
  readonly changes?: Readonly<Record<string, unknown>>;
}

export interface AuditedCaller {
  readonly actor: Actor;
  readonly requestId: string;
  readonly ipAddress: string | null;
}

export async function appendAudit(
  scope: WriteScope,
  id: string,
  caller: AuditedCaller,
  record: AuditRecord,
): Promise<void> {
  const { actor } = caller;
  await scope.tx
    .insertInto('auditLog')
    .values({
      accountId: scope.accountId,
      id,
      occurredAt: scope.now,
      action: record.action,
      actorKind: actor.kind,
      actorId: actorIdOf(actor),
      actorLabel: actor.label,
      ipAddress: caller.ipAddress,
      requestId: caller.requestId,
      sessionId: 'sessionId' in actor ? actor.sessionId || null : null,
      subjectIds: [...record.subjectIds],
      changes: record.changes === undefined ? null : JSON.stringify(record.changes),
    })
    .execute();
}

export interface AuditQuery {
  readonly action: string | null;
  readonly actorId: string | null;
  /** Inclusive. */
  readonly since: Date | null;
  /** Exclusive. */
  readonly until: Date | null;
  /** Id, exclusive. */
  readonly after: string | null;
  readonly limit: number;
}

/**
 * An entry's id is drawn after its transaction began, whose time the entry bears: it is never the smaller, and not greater
 * by more than a transaction takes with all its repetitions.
 */
const SLACK_MS = 3_600_000;

/**
 * Newest first. Ids are ordered by time, so that each index (of the account, of an action, of an actor) gives a page from
 * one range: bounds in time are bounds of ids, set a little wider than what occurredAt then decides.
 */
export function listAudit(scope: ReadScope, asked: AuditQuery): Promise<AuditRow[]> {
  const { action, actorId, since, until, after, limit } = asked;
  let query = scope.db.selectFrom('auditLog').selectAll().where('accountId', '=', scope.accountId);
  if (action !== null) query = query.where('action', '=', action);
  if (actorId !== null) query = query.where('actorId', '=', actorId);
  if (since !== null) query = query.where('id', '>=', firstIdAt(since.getTime())).where('occurredAt', '>=', since);
  if (until !== null) {
    query = query.where('id', '<', firstIdAt(until.getTime() + SLACK_MS)).where('occurredAt', '<', until);
  }
  if (after !== null) query = query.where('id', '<', after);
  return query.orderBy('id', 'desc').limit(limit).execute();
}

export function findAudit(scope: ReadScope, ids: readonly string[]): Promise<AuditRow[]> {
  return scope.db
    .selectFrom('auditLog')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** No UUIDv7 of this millisecond or later is smaller. Times outside of what 48 bits hold become the first or the last. */
function firstIdAt(ms: number): string {
  const bounded = Math.min(Math.max(Math.floor(ms), 0), 2 ** 48 - 1);
  const hex = bounded.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
