// Counters of what happens on servers: by hour and by day, of each server, stream, tag and metric. They and the cursor that
// says how far the log is counted change in one transaction.
import { type Selectable, sql } from 'kysely';
import { ALL_TAGS, type Counts, MAX_TAGS_A_DAY, type StatsRange } from '#/domain/statistics.ts';
import { array } from './arrays.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers } from './scope.ts';
import type { CounterCursorsTable } from './tables.gen.ts';

export type CounterSource = 'events' | 'inbound';
export type CounterCursor = Selectable<CounterCursorsTable>;

/** One who counts at a time, on all nodes. Takes no transaction id: others' view of the log waits for nothing. */
export async function tryToCount(scope: SystemWriteScope): Promise<boolean> {
  const { rows } = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('veredus.counters')) as mine`.execute(scope.tx);
  return rows[0]?.mine ?? false;
}

/** Waits for its turn; then nobody counts until the transaction ends. */
export async function holdCounting(scope: SystemWriteScope): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('veredus.counters'))`.execute(scope.tx);
}

export function readCounterCursor(scope: SystemWriteScope, source: CounterSource): Promise<CounterCursor> {
  return scope.tx.selectFrom('counterCursors').selectAll().where('source', '=', source).executeTakeFirstOrThrow();
}

/** Throws when it is not where it was read: then somebody else has counted the same. */
export async function moveCounterCursor(
  scope: SystemWriteScope,
  from: CounterCursor,
  to: Pick<CounterCursor, 'xact' | 'id' | 'holder' | 'heldUntil'>,
): Promise<void> {
  const moved = await scope.tx
    .updateTable('counterCursors')
    .set(to)
    .where('source', '=', from.source)
    .where('xact', '=', from.xact)
    .where('id', '=', from.id)
    .returning('source')
    .executeTakeFirst();
  if (moved === undefined) throw new Error(`the counters of ${from.source} were moved by somebody else`);
}

export interface TagOfDay {
  readonly accountId: string;
  readonly serverId: string;
  readonly startsAt: Date;
  readonly tag: string;
}

/** Those of `wanted` that have counters of their own. */
export async function findCountedTags(scope: SystemWriteScope, wanted: readonly TagOfDay[]): Promise<TagOfDay[]> {
  if (wanted.length === 0) return [];
  const { rows } = await sql<TagOfDay>`
    select c.* from ${tagRows(wanted)} join counted_tags c
      on c.account_id = w.account_id and c.server_id = w.server_id and c.starts_at = w.starts_at and c.tag = w.tag`.execute(
    scope.tx,
  );
  return rows;
}

/** Takes in as many as there is room for, the first ones first. Answers these. */
export async function takeInTags(scope: SystemWriteScope, wanted: readonly TagOfDay[]): Promise<TagOfDay[]> {
  if (wanted.length === 0) return [];
  const { rows } = await sql<TagOfDay>`
    insert into counted_tags (account_id, server_id, starts_at, tag)
    select account_id, server_id, starts_at, tag from (
      select w.*, row_number() over (partition by w.account_id, w.server_id, w.starts_at order by w.place) as rank
      from ${tagRows(wanted)}) as w
    where rank + (select count(*) from counted_tags c where c.account_id = w.account_id and c.server_id = w.server_id
                  and c.starts_at = w.starts_at) <= ${MAX_TAGS_A_DAY}
    returning *`.execute(scope.tx);
  return rows;
}

function tagRows(wanted: readonly TagOfDay[]) {
  const column = <K extends keyof TagOfDay>(key: K) => wanted.map((tag) => tag[key]);
  return sql`unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('serverId'))},
    ${array('timestamptz', column('startsAt'))}, ${array('text', column('tag'))})
    with ordinality as w (account_id, server_id, starts_at, tag, place)`;
}

export interface CounterRow extends TagOfDay {
  readonly streamId: string;
  readonly metric: string;
  readonly bucket: number;
  readonly count: number;
}

/** Adds to what is there. Each key at most once. */
export async function addCounts(
  scope: SystemWriteScope,
  table: 'counters_by_day' | 'counters_by_hour',
  rows: readonly CounterRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const column = <K extends keyof CounterRow>(key: K) => rows.map((row) => row[key]);
  await sql`
    insert into ${sql.table(table)} as c (account_id, server_id, tag, starts_at, stream_id, metric, bucket, count)
    select * from unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('serverId'))},
      ${array('text', column('tag'))}, ${array('timestamptz', column('startsAt'))}, ${array('uuid', column('streamId'))},
      ${array('text', column('metric'))}, ${array('int', column('bucket'))}, ${array('int8', column('count'))})
    on conflict (account_id, server_id, tag, starts_at, stream_id, metric, bucket)
    do update set count = c.count + excluded.count`.execute(scope.tx);
}

/** Hours that are not kept any more, at most `limit` rows; how many they were. */
export async function deleteOldHours({ db }: SystemScope, before: Date, limit: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from counters_by_hour where ctid = any(array(
      select ctid from counters_by_hour where starts_at < ${before} order by starts_at limit ${limit}))`.execute(db);
  return Number(numAffectedRows);
}

export async function deleteOldTags({ db }: SystemScope, before: Date, limit: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from counted_tags where ctid = any(array(
      select ctid from counted_tags where starts_at < ${before} order by starts_at limit ${limit}))`.execute(db);
  return Number(numAffectedRows);
}

export interface CountsQuery extends StatsRange {
  readonly serverId: string;
  readonly streamId: string | null;
  readonly tag: string | null;
  /** What is summed up; null: all in one. */
  readonly by: 'hour' | 'day' | 'week' | 'month' | null;
}

/** By the start of each stretch of time in which something was counted, in milliseconds. The scope has found the server. */
export async function readCounts(scope: ReadScope, query: CountsQuery): Promise<ReadonlyMap<number, Counts>> {
  const { unit, from, to, serverId, streamId, tag, by } = query;
  const start = by === null ? sql`${from}::timestamptz` : sql`date_trunc(${by}, starts_at, 'UTC')`;
  const conditions = [
    sql`account_id = ${scope.accountId}::uuid`,
    sql`server_id = ${serverId}::uuid`,
    sql`tag = ${tag ?? ALL_TAGS}`,
    sql`starts_at >= ${from} and starts_at < ${to}`,
  ];
  const within = withinServers(scope, 'server_id');
  if (within !== null) conditions.push(within);
  for (const only of [streamId, scope.streamId]) if (only !== null) conditions.push(sql`stream_id = ${only}::uuid`);
  const page = sql<{ start: Date; metric: string; count: number }>`(
    select ${start} as start, metric, sum(count)::bigint as count
    from ${sql.table(unit === 'hour' ? 'counters_by_hour' : 'counters_by_day')}
    where ${sql.join(conditions, sql` and `)} group by 1, metric)`;
  const rows = await scope.db.selectFrom(page.as('page')).selectAll().execute();
  const counts = new Map<number, Map<string, number>>();
  for (const row of rows) {
    const ofStart = counts.get(row.start.getTime()) ?? new Map<string, number>();
    counts.set(row.start.getTime(), ofStart.set(row.metric, row.count));
  }
  return counts;
}
