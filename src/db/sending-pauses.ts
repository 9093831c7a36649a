// Pauses of sending: those in force, and what was.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { SendingPausesTable } from './tables.gen.ts';

export type SendingPauseRow = Selectable<SendingPausesTable>;

/** Those that concern the caller: one who is bound to a stream does not see those of the others. */
function pauses(scope: ReadScope) {
  let query = scope.db.selectFrom('sendingPauses').selectAll().where('accountId', '=', scope.accountId);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  const { streamId } = scope;
  if (streamId === null) return query;
  return query.where((where) => where.or([where('streamId', 'is', null), where('streamId', '=', streamId)]));
}

/** In force. */
export function listPauses(scope: ReadScope, serverIds: readonly string[]): Promise<SendingPauseRow[]> {
  if (serverIds.length === 0) return Promise.resolve([]);
  return pauses(scope)
    .where('serverId', '=', sql<string>`any(${array('uuid', serverIds)})`)
    .where('resumedAt', 'is', null)
    .execute();
}

/** All that is needed to tell the state of the server at each change after this one. */
export function listPausesSince(scope: ReadScope, serverId: string, change: number): Promise<SendingPauseRow[]> {
  return pauses(scope)
    .where('serverId', '=', serverId)
    .where((where) => where.or([where('resumedAt', 'is', null), where('resumedChange', '>', change)]))
    .execute();
}

/** Number of the newest change of the server; 0 before the first. */
export async function lastChange(scope: ReadScope, serverId: string): Promise<number> {
  const of = (column: 'pausedChange' | 'resumedChange') =>
    scope.db
      .selectFrom('sendingPauses')
      .select((select) => select.fn.max<number | null>(column).as('change'))
      .where('accountId', '=', scope.accountId)
      .where('serverId', '=', serverId)
      .executeTakeFirst();
  const [paused, resumed] = await Promise.all([of('pausedChange'), of('resumedChange')]);
  return Math.max(paused?.change ?? 0, resumed?.change ?? 0);
}

export type NewPause = Pick<SendingPauseRow, 'id' | 'serverId' | 'streamId' | 'reason' | 'note'> & {
  readonly evidence: object;
};

/** Under the lock of the server's row (lockServer), and where none like it is in force. */
export async function insertPause(scope: WriteScope, { evidence, ...pause }: NewPause): Promise<SendingPauseRow> {
  return scope.tx
    .insertInto('sendingPauses')
    .values({
      ...pause,
      evidence: JSON.stringify(evidence),
      accountId: scope.accountId,
      pausedAt: scope.now,
      pausedChange: (await lastChange(scope, pause.serverId)) + 1,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** As one change. Under the lock of the server's row. */
export async function endPauses(
  scope: WriteScope,
  serverId: string,
  ids: readonly string[],
  note: string | null,
): Promise<void> {
  await scope.tx
    .updateTable('sendingPauses')
    .set({ resumedAt: scope.now, resumedChange: (await lastChange(scope, serverId)) + 1, resumeNote: note })
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .where('resumedAt', 'is', null)
    .execute();
}

export type PausedPlace = Pick<SendingPauseRow, 'serverId' | 'streamId'>;

/** Where anything is paused, in all accounts. */
export function listPausedPlaces(scope: SystemScope): Promise<PausedPlace[]> {
  return scope.db.selectFrom('sendingPauses').select(['serverId', 'streamId']).where('resumedAt', 'is', null).execute();
}

/** The same of some servers, so that none of these pauses ends before this transaction does. */
export function holdPausedPlaces(scope: SystemWriteScope, serverIds: readonly string[]): Promise<PausedPlace[]> {
  return scope.tx
    .selectFrom('sendingPauses')
    .select(['serverId', 'streamId'])
    .where('serverId', '=', sql<string>`any(${array('uuid', serverIds)})`)
    .where('resumedAt', 'is', null)
    .forShare()
    .execute();
}
