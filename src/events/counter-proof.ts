// The counters against the log: what each would say of the events that are still there. Events are counted by the partition
// that they lie in, and these are dropped as a whole: so of a partition that is there, both sides are complete.
import { sql } from 'kysely';
import { array } from '#/db/arrays.ts';
import type { CounterRow } from '#/db/counters.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { ALL_TAGS, OTHER_TAGS } from '#/domain/statistics.ts';
import { countedLogs } from './log-counts.ts';

export type CounterUnit = 'day' | 'hour';

export interface Difference extends Omit<CounterRow, 'count'> {
  readonly unit: CounterUnit;
  /** Null: there is no such counter. */
  readonly counted: number | null;
  /** Null: the log has nothing of it. */
  readonly logged: number | null;
}

export interface Comparison {
  /** Rows of the log that were counted again. */
  readonly rows: number;
  /** At most `limit`. */
  readonly differences: readonly Difference[];
}

export interface ComparedPart {
  readonly bucket: number;
  readonly unit: CounterUnit;
  /** Counters that begin before are not compared. */
  readonly since: Date;
}

/** One view of everything, for a proof beside those who count. Must come first in its transaction. */
export async function beginProof({ tx }: SystemWriteScope): Promise<void> {
  await sql`set transaction isolation level repeatable read, read only`.execute(tx);
}

/**
 * The whole partition is read, which takes as long as it takes. It is the one statement that is not made for an index:
 * what the pool turns off for all others (db/client.ts) is right here.
 */
async function allowLongReading({ tx }: SystemWriteScope): Promise<void> {
  await sql`select set_config('statement_timeout', '0', true), set_config('enable_seqscan', 'on', true),
    set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true)`.execute(tx);
}

type Row = Omit<Difference, 'unit'> & { readonly rows: number | null };

export async function compareCounters(
  scope: SystemWriteScope,
  { bucket, unit, since }: ComparedPart,
  limit: number,
): Promise<Comparison> {
  await allowLongReading(scope);
  const { rows } = await sql<Row>`
    with base as (${counted('events', bucket, unit)} union all ${counted('inbound', bucket, unit)}),
    logged as materialized (
      select account_id, server_id, ${ALL_TAGS} as tag, starts_at, stream_id, metric, sum(count)::bigint as count
      from base where starts_at >= ${since} group by 1, 2, 4, 5, 6
      union all
      select base.account_id, base.server_id, coalesce(own.tag, ${OTHER_TAGS}), base.starts_at, stream_id, metric,
        sum(count)::bigint
      from base left join counted_tags own on own.account_id = base.account_id and own.server_id = base.server_id
        and own.tag = base.tag and own.starts_at = date_trunc('day', base.starts_at, 'UTC')
      where base.tag <> ${ALL_TAGS} and base.starts_at >= ${since}
      group by 1, 2, 3, 4, 5, 6),
    stored as (
      select account_id, server_id, tag, starts_at, stream_id, metric, count
      from ${sql.table(`counters_by_${unit}`)} where bucket = ${bucket} and starts_at >= ${since}),
    differing as (
      select account_id, server_id, tag, starts_at, stream_id, metric, stored.count as counted, logged.count as logged
      from logged full join stored using (account_id, server_id, tag, starts_at, stream_id, metric)
      where logged.count is distinct from stored.count
      order by starts_at, account_id, server_id, tag, stream_id, metric limit ${limit})
    select differing.*, ${bucket}::int as bucket, total.rows
    from (select sum(count)::bigint as rows from logged where tag = ${ALL_TAGS}) as total left join differing on true`.execute(
    scope.tx,
  );
  const differences = rows.flatMap(({ rows: _, ...row }) => (row.accountId === null ? [] : [{ ...row, unit }]));
  return { rows: rows[0]?.rows ?? 0, differences };
}

/** What of a partition is before the cursor, summed up. */
function counted(source: keyof typeof countedLogs, bucket: number, unit: CounterUnit) {
  const log = countedLogs[source];
  return sql`
    select account_id, server_id, stream_id, coalesce(${log.tag}, ${ALL_TAGS}) as tag,
      date_trunc(${sql.lit(unit)}, ${sql.ref(log.time)}, 'UTC') as starts_at, ${log.metric} as metric, count(*) as count
    from ${sql.table(log.table)} as l
    where bucket = ${bucket} and exists (
      select from counter_cursors c where c.source = ${source} and (l.${sql.ref(log.xact)}, l.id) <= (c.xact, c.id))
    group by 1, 2, 3, 4, 5, 6`;
}

/** Makes the counters say what the log says. Nobody may count meanwhile. */
export async function correctCounters(scope: SystemWriteScope, differences: readonly Difference[]): Promise<void> {
  for (const unit of ['day', 'hour'] as const) {
    const rows = differences.filter((difference) => difference.unit === unit);
    if (rows.length === 0) continue;
    const column = <K extends keyof Difference>(key: K) => rows.map((row) => row[key]);
    const table = sql.table(`counters_by_${unit}`);
    await sql`
      with right_ones as materialized (
        select * from unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('serverId'))},
          ${array('text', column('tag'))}, ${array('timestamptz', column('startsAt'))},
          ${array('uuid', column('streamId'))}, ${array('text', column('metric'))}, ${array('int', column('bucket'))},
          ${array('int8', column('logged'))}) as r (account_id, server_id, tag, starts_at, stream_id, metric, bucket, count)),
      gone as (
        delete from ${table} c using right_ones r
        where r.count is null and c.account_id = r.account_id and c.server_id = r.server_id and c.tag = r.tag
          and c.starts_at = r.starts_at and c.stream_id = r.stream_id and c.metric = r.metric and c.bucket = r.bucket)
      insert into ${table} as c (account_id, server_id, tag, starts_at, stream_id, metric, bucket, count)
      select * from right_ones where count is not null
      on conflict (account_id, server_id, tag, starts_at, stream_id, metric, bucket)
      do update set count = excluded.count`.execute(scope.tx);
  }
}
