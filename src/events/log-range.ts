// Events of the log by their keys, and ranges of it by time: for what tells them again, long after they were written.
import { sql } from 'kysely';
import { array } from '#/db/arrays.ts';
import type { Database } from '#/db/client.ts';
import type { EventType, LogPosition, LoggedEvent } from './catalogue.ts';
import { columns, type EventRow, toEvent } from './log.ts';

export interface EventKey {
  readonly bucket: number;
  readonly accountId: string;
  readonly serverId: string;
  readonly logXact: number;
  readonly eventId: string;
}

/** By id; those that are no longer kept are missing. */
export async function findEvents(db: Database, keys: readonly EventKey[]): Promise<ReadonlyMap<string, LoggedEvent>> {
  if (keys.length === 0) return new Map();
  const column = <K extends keyof EventKey>(key: K) => keys.map((one) => one[key]);
  const { rows } = await sql<EventRow>`
    select e.* from unnest(${array('int', column('bucket'))}, ${array('uuid', column('accountId'))},
      ${array('uuid', column('serverId'))}, ${array('int8', column('logXact'))}, ${array('uuid', column('eventId'))})
      as k (k_bucket, k_account, k_server, k_xact, k_id)
    cross join lateral (
      select ${columns} from events
      where account_id = k.k_account and server_id = k.k_server and log_xact = k.k_xact and id = k.k_id
        and bucket = k.k_bucket limit 1) as e`.execute(db);
  return new Map(rows.map((row) => [row.id, toEvent(row)]));
}

export interface LogRange {
  readonly accountId: string;
  readonly serverId: string;
  readonly types: readonly EventType[];
  /** Null: all. */
  readonly streamIds: readonly string[] | null;
  readonly since: Date;
  readonly until: Date;
  /** Below this transaction. */
  readonly throughXact: number;
  readonly fromBucket: number;
}

function conditionsOf(range: LogRange) {
  const conditions = [
    sql`server_id = ${range.serverId}::uuid`,
    sql`account_id = ${range.accountId}::uuid`,
    sql`bucket >= ${range.fromBucket}`,
    sql`log_xact < ${range.throughXact}`,
    sql`occurred_at >= ${range.since} and occurred_at < ${range.until}`,
    sql`type = any(${array('text', range.types)}::message_event_type[])`,
  ];
  if (range.streamIds !== null) conditions.push(sql`stream_id = any(${array('uuid', range.streamIds)})`);
  return sql.join(conditions, sql` and `);
}

/** At most `most`, however many there are. */
export async function countRange(db: Database, range: LogRange, most: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) from (select 1 from events where ${conditionsOf(range)} limit ${most}) as found`.execute(db);
  return rows[0]?.count ?? 0;
}

/** In the order of the log. */
export async function readRange(
  db: Database,
  range: LogRange,
  after: LogPosition,
  limit: number,
): Promise<readonly LoggedEvent[]> {
  const { rows } = await sql<EventRow>`
    select ${columns} from events
    where ${conditionsOf(range)} and (log_xact, id) > (${after.xact}, ${after.id}::uuid)
    order by log_xact, id limit ${limit}`.execute(db);
  return rows.map(toEvent);
}
