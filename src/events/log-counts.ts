// The logs as counters see them: what was appended after a cursor, summed up by hour. Two logs: of events, and of what comes
// in. Like all readers of them, this one stops at the horizon (log.ts), so each row is read by exactly one batch.
import { type RawBuilder, sql } from 'kysely';
import type { CounterCursor, CounterSource } from '#/db/counters.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import type { LogPosition } from './catalogue.ts';
import { horizon } from './log.ts';

interface CountedLog {
  readonly table: string;
  readonly xact: string;
  /** Null: none of its rows has a tag. */
  readonly tag: RawBuilder<unknown>;
  readonly time: string;
  readonly metric: RawBuilder<unknown>;
}

/** A type, and what it is about. Whatever a new event is, it is counted by its type. */
const metricOfEvent = sql`(type::text || coalesce('.' || case type
    when 'BOUNCED' then coalesce(data ->> 'bounceType', 'UNKNOWN')
      || case when (data ->> 'failed')::boolean is false then '.NOTICE' else '' end
    when 'SUPPRESSED' then data ->> 'reason'
    when 'SUBSCRIPTION_CHANGED' then
      case when (data ->> 'suppressed')::boolean then coalesce(data ->> 'reason', 'MANUAL') else 'LIFTED' end
    when 'OPENED' then ${kindOfReading()}
    when 'CLICKED' then ${kindOfReading()}
  end, ''))`;

function kindOfReading(): RawBuilder<unknown> {
  return sql`nullif(concat_ws('.', case when (data ->> 'first')::boolean then 'FIRST' end,
    case when (data ->> 'machine')::boolean then 'MACHINE' end), '')`;
}

export const countedLogs: Readonly<Record<CounterSource, CountedLog>> = {
  events: { table: 'events', xact: 'log_xact', tag: sql`tag`, time: 'occurred_at', metric: metricOfEvent },
  inbound: {
    table: 'inbound_messages',
    xact: 'received_xact',
    tag: sql`null::text`,
    time: 'received_at',
    metric: sql`'INBOUND'`,
  },
};

export interface Stretch {
  readonly through: LogPosition;
  readonly rows: number;
  /** There is more below the horizon. */
  readonly more: boolean;
}

/** How far the next batch goes; null: nothing is to be counted. */
export async function nextStretch(
  { tx }: SystemWriteScope,
  { source, xact, id }: CounterCursor,
  limit: number,
): Promise<Stretch | null> {
  const log = countedLogs[asSource(source)];
  const position = sql.ref(log.xact);
  const { rows } = await sql<{ xact: number; id: string; rows: number }>`
    with edge as materialized (select ${horizon} as horizon),
    page as (
      select ${position} as xact, id from ${sql.table(log.table)} where (${position}, id) > (${xact}, ${id}::uuid)
      order by ${position}, id limit ${limit})
    select page.xact, page.id, count(*) over () as rows from page, edge where page.xact < edge.horizon
    order by page.xact desc, page.id desc limit 1`.execute(tx);
  const last = rows[0];
  if (last === undefined) return null;
  return { through: { xact: last.xact, id: last.id }, rows: last.rows, more: last.rows === limit };
}

export interface CountedGroup {
  readonly bucket: number;
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string;
  readonly tag: string | null;
  readonly hour: Date;
  readonly metric: string;
  readonly count: number;
}

export async function readStretch(
  { tx }: SystemWriteScope,
  { source, xact, id }: CounterCursor,
  { through }: Stretch,
): Promise<CountedGroup[]> {
  const log = countedLogs[asSource(source)];
  const position = sql.ref(log.xact);
  const { rows } = await sql<CountedGroup>`
    select bucket, account_id, server_id, stream_id, ${log.tag} as tag,
      date_trunc('hour', ${sql.ref(log.time)}, 'UTC') as hour, ${log.metric} as metric, count(*) as count
    from ${sql.table(log.table)}
    where (${position}, id) > (${xact}, ${id}::uuid) and (${position}, id) <= (${through.xact}, ${through.id}::uuid)
    group by 1, 2, 3, 4, 5, 6, 7`.execute(tx);
  return rows;
}

function asSource(source: string): CounterSource {
  return source === 'inbound' ? 'inbound' : 'events';
}
