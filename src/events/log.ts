// Reads the log in its one order.
//
// A number drawn inside a transaction becomes visible when the transaction commits, in whatever order that happens, so
// "greater than the last one seen" loses rows of slower transactions. Hence: each event carries the id of the
// transaction that wrote it, and a reader stops at the horizon: the oldest transaction still running. Below it all have
// ended, nothing can appear any more, and everybody reads the same order. One long-running writer holds the horizon up
// for all; transactions are kept short, and the database ends idle ones.
import { sql } from 'kysely';
import type { Database } from '#/db/client.ts';
import type { ReadScope } from '#/db/scope.ts';
import { bucketOfMessage } from '#/domain/retention.ts';
import type { EventType, LogPosition, LoggedEvent } from './catalogue.ts';
import { array } from '#/db/arrays.ts';

export interface EventFilter {
  readonly types?: readonly EventType[] | null;
  readonly streamIds?: readonly string[] | null;
  readonly tag?: string | null;
  readonly recipient?: string | null;
  readonly messageId?: string | null;
}

export interface EventRow {
  readonly bucket: number;
  readonly accountId: string;
  readonly serverId: string;
  readonly logXact: number;
  readonly id: string;
  readonly type: EventType;
  readonly occurredAt: Date;
  readonly messageId: string;
  readonly streamId: string;
  readonly recipient: string | null;
  readonly tag: string | null;
  readonly metadata: Record<string, string> | null;
  readonly data: unknown;
}

type Row = (EventRow | { readonly logXact: null }) & { readonly horizon: number; readonly pending: boolean };

export const FIRST_ID = '00000000-0000-0000-0000-000000000000';

export const horizon = sql<number>`
  (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + log_offset from installation)`;

export const columns = sql`
  bucket, account_id, server_id, log_xact, id, type, occurred_at, message_id, stream_id, recipient, tag, metadata, data`;

/** The position below which the log is complete: a reader that starts here gets everything that commits from now on. */
export async function readHorizon(db: Database): Promise<LogPosition> {
  const { rows } = await sql<{ horizon: number }>`select ${horizon} as horizon`.execute(db);
  return { xact: rows[0]?.horizon ?? 0, id: FIRST_ID };
}

export interface LogPage {
  readonly events: readonly LoggedEvent[];
  /** The log is complete below this; when `events` is not full, everything below it has been read. */
  readonly horizon: LogPosition;
  /** Committed events lie at or above the horizon: it will rise soon, without anybody saying so. */
  readonly pending: boolean;
}

/** What the whole installation appended after `after`: for the one reader of each node. */
export async function readLog(db: Database, after: LogPosition, limit: number): Promise<LogPage> {
  // The horizon is no condition of the scan: an upper bound that the planner cannot know would only mislead it.
  const { rows } = await sql<Row>`
    with edge as materialized (select ${horizon} as horizon),
    page as materialized (
      select ${columns} from events where (log_xact, id) > (${after.xact}, ${after.id}::uuid)
      order by log_xact, id limit ${limit})
    select page.*, edge.horizon, exists (select from page where log_xact >= edge.horizon) as pending
    from edge left join page on page.log_xact < edge.horizon order by page.log_xact, page.id`.execute(db);
  return pageOf(rows);
}

/** What one server's log holds after `after`, filtered. */
export async function readServerLog(
  db: Database,
  reach: { readonly accountId: string; readonly serverId: string; readonly streamId: string | null },
  after: LogPosition,
  filter: EventFilter,
  limit: number,
  fromBucket: number,
): Promise<LogPage> {
  const conditions = [
    sql`server_id = ${reach.serverId}::uuid`,
    sql`account_id = ${reach.accountId}::uuid`,
    sql`bucket >= ${fromBucket}`,
    sql`(log_xact, id) > (${after.xact}, ${after.id}::uuid)`,
  ];
  if (reach.streamId !== null) conditions.push(sql`stream_id = ${reach.streamId}::uuid`);
  if (filter.types) conditions.push(sql`type = any(${array('text', filter.types)}::message_event_type[])`);
  if (filter.streamIds) conditions.push(sql`stream_id = any(${array('uuid', filter.streamIds)})`);
  if (filter.tag) conditions.push(sql`tag = ${filter.tag}`);
  if (filter.recipient) conditions.push(sql`lower(recipient) = ${filter.recipient}`);
  if (filter.messageId) {
    // The id tells the partition: without it a filter by one message would look into all of them.
    conditions.push(sql`message_id = ${filter.messageId}::uuid`, sql`bucket = ${bucketOfMessage(filter.messageId)}`);
  }
  const { rows } = await sql<Row>`
    with edge as materialized (select ${horizon} as horizon),
    page as (
      select ${columns} from events where ${sql.join(conditions, sql` and `)}
      order by log_xact, id limit ${limit})
    select page.*, edge.horizon, false as pending
    from edge left join page on page.log_xact < edge.horizon order by page.log_xact, page.id`.execute(db);
  return pageOf(rows);
}

/** One page of the events of one message; `after` null: from the first. */
export interface MessageEventsKey {
  readonly messageId: string;
  readonly after: LogPosition | null;
  readonly limit: number;
}

/** Pages for many messages at once, in the order of `keys`. The scope has found the messages. */
export async function readMessageEvents(
  db: ReadScope['db'],
  accountId: string,
  keys: readonly MessageEventsKey[],
): Promise<LoggedEvent[][]> {
  const page = sql<EventRow & { readonly place: number }>`(
    select k.place::int, e.* from unnest(${array(
      'uuid',
      keys.map(({ messageId }) => messageId),
    )},
      ${array(
        'int',
        keys.map(({ messageId }) => bucketOfMessage(messageId)),
      )}, ${array(
        'int8',
        keys.map(({ after }) => after?.xact ?? 0),
      )},
      ${array(
        'uuid',
        keys.map(({ after }) => after?.id ?? FIRST_ID),
      )}, ${array(
        'int',
        keys.map(({ limit }) => limit),
      )})
      with ordinality as k (message_id, bucket, xact, id, most, place)
    cross join lateral (
      select ${columns} from events
      where events.message_id = k.message_id and events.bucket = k.bucket and account_id = ${accountId}::uuid
        and (log_xact, events.id) > (k.xact, k.id) and log_xact < ${horizon}
      order by log_xact, events.id limit k.most) as e
    order by k.place, e.log_xact, e.id)`.as('page');
  const rows = await db.selectFrom(page).selectAll().execute();
  const pages: LoggedEvent[][] = keys.map(() => []);
  for (const { place, ...row } of rows) pages[place - 1]?.push(toEvent(row));
  return pages;
}

/** How far retention has dropped this server's events, and the oldest that is left. */
export async function readFloor(
  db: Database,
  reach: { readonly accountId: string; readonly serverId: string },
): Promise<{ readonly droppedThrough: number; readonly oldest: LogPosition | null }> {
  const { rows } = await sql<{ droppedThrough: number | null; xact: number | null; id: string | null }>`
    select (select dropped_through from event_log_floors
            where account_id = ${reach.accountId}::uuid and server_id = ${reach.serverId}::uuid) as dropped_through,
      oldest.log_xact as xact, oldest.id
    from (select 1) as one left join lateral (
      select log_xact, id from events where server_id = ${reach.serverId}::uuid and account_id = ${reach.accountId}::uuid
      order by log_xact, id limit 1) as oldest on true`.execute(db);
  const row = rows[0];
  const oldest = row?.xact != null && row.id !== null ? { xact: row.xact, id: row.id } : null;
  return { droppedThrough: row?.droppedThrough ?? -1, oldest };
}

function pageOf(rows: readonly Row[]): LogPage {
  const events: LoggedEvent[] = [];
  for (const row of rows) if ('id' in row && row.logXact !== null) events.push(toEvent(row));
  const [edge] = rows;
  return { events, horizon: { xact: edge?.horizon ?? 0, id: FIRST_ID }, pending: edge?.pending ?? false };
}

export function toEvent({
  logXact,
  horizon: _,
  pending: __,
  ...event
}: EventRow & { horizon?: number; pending?: boolean }): LoggedEvent {
  // `append` wrote the data that the catalogue gives for the type.
  return { ...event, position: { xact: logXact, id: event.id } } as LoggedEvent;
}
