// Retention buckets: the tables that grow with mail are partitioned by the week in which their message expires.
import { type Kysely, sql } from 'kysely';
import { bucketAt } from '#/domain/retention.ts';

/** Partitioned by `bucket`, created and dropped together. */
export const bucketedTables = [
  'messages',
  'message_terms',
  'message_contents',
  'recipients',
  'delivery_attempts',
  'bounces',
  'events',
  'webhook_deliveries',
  'inbound_messages',
] as const;

/**
 * Storage of a table's partitions. message_contents: a compressed mail of 5 KB is a little over 2 KB, at which PostgreSQL
 * would cut it up into a side table; up to half a page it stays in its row. delivery_attempts: room for the outcome, which
 * triples the row, on the page where the attempt was written, so that no index is touched.
 */
const storage: Partial<Record<(typeof bucketedTables)[number], string>> = {
  message_contents: 'toast_tuple_target = 4080',
  delivery_attempts: 'fillfactor = 40',
};

/** Weeks for which partitions stand ready beyond the one that is written now: maintenance may be away that long. */
const WEEKS_AHEAD = 2;

/**
 * Makes the partitions that acceptance will write for any of `retentionDays` from `now` on. Attaching a ready-made
 * table locks out no reader or writer, where `create … partition of` would.
 */
export async function ensurePartitions<T>(db: Kysely<T>, now: Date, retentionDays: Iterable<number>): Promise<void> {
  const wanted = new Set<number>();
  for (const days of retentionDays) {
    const first = bucketAt(now, days);
    for (let week = 0; week <= WEEKS_AHEAD; week++) wanted.add(first + week);
  }
  const existing = await listBuckets(db);
  const missing = [...wanted].filter((bucket) => !existing.has(bucket)).sort((a, b) => a - b);
  for (const bucket of missing) await createBucket(db, bucket);
}

export interface DroppedPartitions {
  readonly dropped: readonly number[];
  /** With rows that are not counted yet, or that are being read: they go the next time. */
  readonly waiting: readonly number[];
}

/** Buckets whose whole week has passed: everything in them has expired. */
export async function dropExpiredPartitions<T>(db: Kysely<T>, now: Date): Promise<DroppedPartitions> {
  const current = bucketAt(now, 0);
  const expired = [...(await listBuckets(db))].filter((bucket) => bucket < current);
  const waiting = new Set<number>();
  for (const bucket of expired) if (!(await dropBucket(db, bucket))) waiting.add(bucket);
  return { dropped: expired.filter((bucket) => !waiting.has(bucket)), waiting: [...waiting] };
}

/** While it waits for whoever reads a partition, everybody else who reads or appends waits behind it: not for long. */
const LOCK_TIMEOUT = '2s';
const LOCK_NOT_AVAILABLE = '55P03';

/** False: not everything in it is counted, or somebody has been reading it for long. */
async function dropBucket<T>(db: Kysely<T>, bucket: number): Promise<boolean> {
  try {
    return await db.transaction().execute(async (tx) => {
      await lockPartitions(tx);
      // Readers whose cursor lies before what is dropped must hear so, and not silently miss events.
      await sql`
        insert into event_log_floors (account_id, server_id, dropped_through)
        select account_id, server_id, max(log_xact) from ${sql.table(`events_${bucket}`)} group by account_id, server_id
        on conflict (account_id, server_id) do update
        set dropped_through = greatest(event_log_floors.dropped_through, excluded.dropped_through)`.execute(tx);
      await sql.raw(`set local lock_timeout = '${LOCK_TIMEOUT}'`).execute(tx);
      if (!(await isCounted(tx, bucket))) return false;
      for (const table of bucketedTables) await sql.raw(`drop table if exists ${table}_${bucket}`).execute(tx);
      return true;
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

/**
 * Whether the counters have all that is in the bucket. The locks are those that dropping takes next: nobody can append to
 * it between this look and the drop.
 */
async function isCounted<T>(tx: Kysely<T>, bucket: number): Promise<boolean> {
  await sql`lock table only events, only inbound_messages in access exclusive mode`.execute(tx);
  const { rows } = await sql<{ counted: boolean }>`
    select not exists (
      select from counter_cursors c where c.source = 'events'
        and exists (select from ${sql.table(`events_${bucket}`)} e where (e.log_xact, e.id) > (c.xact, c.id))
    ) and not exists (
      select from counter_cursors c where c.source = 'inbound'
        and exists (select from ${sql.table(`inbound_messages_${bucket}`)} m where (m.received_xact, m.id) > (c.xact, c.id))
    ) as counted`.execute(tx);
  return rows[0]?.counted ?? false;
}

/** Retention settings in use, in days. */
export async function listRetentions<T>(db: Kysely<T>): Promise<number[]> {
  const { rows } = await sql<{ days: number }>`select distinct retention_days as days from accounts`.execute(db);
  return rows.map(({ days }) => days);
}

/** Of the log, and of all tables that come and go with it. */
export async function listBuckets<T>(db: Kysely<T>): Promise<Set<number>> {
  const { rows } = await sql<{ name: string }>`
    select child.relname as name from pg_inherits
    join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent
    where parent.relname = 'events' and parent.relnamespace = current_schema()::regnamespace`.execute(db);
  return new Set(rows.map(({ name }) => Number(name.slice('events_'.length))));
}

async function createBucket<T>(db: Kysely<T>, bucket: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockPartitions(tx);
    if ((await listBuckets(tx)).has(bucket)) return;
    for (const table of bucketedTables) {
      const partition = `${table}_${bucket}`;
      const options = storage[table] === undefined ? '' : ` with (${storage[table]})`;
      await sql.raw(`create table ${partition} (like ${table} including all)${options}`).execute(tx);
      await sql.raw(`alter table ${table} attach partition ${partition} for values in (${bucket})`).execute(tx);
    }
  });
}

/** One node at a time; the others wait, and then find the work done. */
async function lockPartitions<T>(tx: Kysely<T>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('veredus.partitions'))`.execute(tx);
}
