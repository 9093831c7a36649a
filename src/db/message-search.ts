// Finds messages of a server by any mix of filters, newest first.
//
// Whatever the filters, the search follows one index that has the ids in order, newest first, and stops when the page is
// full. The index is the one in which the fewest rows pass: with more than one to choose from, the beginning of each is
// counted first, which costs less than a wrong choice. Messages that pass are looked up one by one (the lateral queries
// cannot be flattened), so no plan sorts or hashes what it would then throw away.
import { type RawBuilder, sql } from 'kysely';
import { formatUuid } from '#/domain/ids.ts';
import { bucketAt } from '#/domain/retention.ts';
import { planAnew } from './client.ts';
import type { MessageRow } from './messages.ts';
import type { ReadScope } from './scope.ts';
import type { DeliveryStatus } from './tables.gen.ts';

export interface MessageSearch {
  readonly serverId: string;
  /** Only messages older than this one. */
  readonly before: string | null;
  readonly limit: number;
  readonly now: Date;
  readonly streamId: string | null;
  readonly fromKey: string | null;
  readonly tag: string | null;
  /** With `status`, of the same recipient. */
  readonly addressKey: string | null;
  readonly status: DeliveryStatus | null;
  /** Of src/domain/search-terms.ts: a message has to have all of them. */
  readonly terms: readonly number[];
  /** Checked besides its terms, which are hashes. */
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly since: Date | null;
  readonly until: Date | null;
}

/** Rows of an index that are counted to tell the shorter one: a page or two of it. */
const PROBE = 300;
/** An id may be drawn that much after its message's accepted_at: clocks of nodes differ and are set back. */
const ID_SLACK_MS = 5 * 60_000;

type Sql = RawBuilder<unknown>;

/** One index that can be followed, as the conditions on its table and what they leave open. */
interface Driver {
  readonly table: 'messages' | 'recipients' | 'message_terms';
  readonly idColumn: 'id' | 'message_id';
  readonly conditions: readonly Sql[];
  readonly term?: number;
}

export async function searchMessages(scope: ReadScope, search: MessageSearch): Promise<MessageRow[]> {
  const drivers = driversOf(scope, search);
  const driver = drivers.length === 1 ? drivers[0] : drivers[await shortest(scope, search, drivers)];
  if (driver === undefined) throw new Error('a search without a driver');
  const others = [...messageConditions(scope, search), ...relatedConditions(search, driver)];
  const page = sql<MessageRow>`(
    select m.* from (
      select ${driver.table === 'recipients' ? sql`distinct on (d.message_id)` : sql``}
        d.${sql.raw(driver.idColumn)} as id, d.bucket
      from ${sql.raw(driver.table)} as d where ${all([...driver.conditions, ...range(search, 'd', driver.idColumn)])}
      order by d.${sql.raw(driver.idColumn)} desc) as found
    cross join lateral (
      select * from messages
      where account_id = ${scope.accountId}::uuid and id = found.id and bucket = found.bucket limit 1) as m
    where ${all(others)}
    order by found.id desc limit ${search.limit})`.as('page');
  return scope.db.selectFrom(page).selectAll().modifyFront(planAnew).execute();
}

function driversOf(scope: ReadScope, search: MessageSearch): Driver[] {
  const ofServer = sql`d.server_id = ${search.serverId}::uuid`;
  const onMessages = (...conditions: Sql[]): Driver => ({ table: 'messages', idColumn: 'id', conditions });
  const drivers: Driver[] = search.terms.map((term) => ({
    table: 'message_terms',
    idColumn: 'message_id',
    conditions: [ofServer, sql`d.term = ${term}::bigint`],
    term,
  }));
  if (search.addressKey !== null || search.status !== null) {
    const conditions = [ofServer];
    if (search.addressKey !== null) conditions.push(sql`d.address_key = ${search.addressKey}`);
    if (search.status !== null) conditions.push(sql`d.status = ${search.status}::delivery_status`);
    drivers.push({ table: 'recipients', idColumn: 'message_id', conditions });
  }
  if (search.tag !== null) drivers.push(onMessages(ofServer, sql`d.tag = ${search.tag}`));
  if (search.fromKey !== null) drivers.push(onMessages(ofServer, sql`d.from_key = ${search.fromKey}`));
  const streamId = scope.streamId ?? search.streamId;
  if (streamId !== null) drivers.push(onMessages(sql`d.stream_id = ${streamId}::uuid`));
  return drivers.length > 0 ? drivers : [onMessages(ofServer)];
}

async function shortest(scope: ReadScope, search: MessageSearch, drivers: readonly Driver[]): Promise<number> {
  const counts = drivers.map(
    ({ table, idColumn, conditions }, place) => sql`
      select ${sql.lit(place)} as place, (select count(*)::int from (
        select from ${sql.raw(table)} as d where ${all([...conditions, ...range(search, 'd', idColumn)])}
        limit ${PROBE}) as head) as rows`,
  );
  const lengths = sql<{ place: number; rows: number }>`(${sql.join(counts, sql` union all `)})`.as('lengths');
  const rows = await scope.db.selectFrom(lengths).selectAll().modifyFront(planAnew).execute();
  let best = { place: 0, rows: Number.POSITIVE_INFINITY };
  // Of those that are longer than was counted the last one is taken: conditions on messages themselves need no look-up.
  for (const row of rows) if (row.rows < best.rows || (row.rows === PROBE && best.rows === PROBE)) best = row;
  return best.place;
}

/** The part of an index that ids, and the partitions that are still kept, leave. */
function range(search: MessageSearch, table: string, idColumn: string): Sql[] {
  const id = sql.raw(`${table}.${idColumn}`);
  const conditions: Sql[] = [sql`${sql.raw(`${table}.bucket`)} >= ${bucketAt(search.now, 0)}`];
  if (search.before !== null) conditions.push(sql`${id} < ${search.before}::uuid`);
  if (search.since !== null) conditions.push(sql`${id} >= ${firstIdAt(search.since.getTime())}::uuid`);
  if (search.until !== null) conditions.push(sql`${id} < ${firstIdAt(search.until.getTime() + ID_SLACK_MS)}::uuid`);
  return conditions;
}

/** On the message that was looked up; all of them, whichever index led to it. */
function messageConditions(scope: ReadScope, search: MessageSearch): Sql[] {
  const conditions: Sql[] = [sql`m.server_id = ${search.serverId}::uuid`, sql`m.expires_at > ${search.now}`];
  if (scope.serverId !== null) conditions.push(sql`m.server_id = ${scope.serverId}::uuid`);
  if (scope.streamId !== null) conditions.push(sql`m.stream_id = ${scope.streamId}::uuid`);
  if (search.streamId !== null) conditions.push(sql`m.stream_id = ${search.streamId}::uuid`);
  if (search.fromKey !== null) conditions.push(sql`m.from_key = ${search.fromKey}`);
  if (search.tag !== null) conditions.push(sql`m.tag = ${search.tag}`);
  if (search.metadata !== null) conditions.push(sql`m.metadata @> ${JSON.stringify(search.metadata)}::jsonb`);
  if (search.since !== null) conditions.push(sql`m.accepted_at >= ${search.since}`);
  if (search.until !== null) conditions.push(sql`m.accepted_at < ${search.until}`);
  return conditions;
}

/** On rows beside the message, but for those that led to it. `offset 0` keeps them from becoming joins. */
function relatedConditions(search: MessageSearch, driver: Driver): Sql[] {
  const conditions: Sql[] = [];
  for (const term of search.terms) {
    if (term === driver.term) continue;
    conditions.push(sql`exists (
      select from message_terms as t where t.server_id = m.server_id and t.term = ${term}::bigint
        and t.message_id = m.id and t.bucket = m.bucket offset 0)`);
  }
  if (driver.table !== 'recipients' && (search.addressKey !== null || search.status !== null)) {
    const address = search.addressKey === null ? sql`` : sql`and r.address_key = ${search.addressKey}`;
    const status = search.status === null ? sql`` : sql`and r.status = ${search.status}::delivery_status`;
    conditions.push(sql`exists (
      select from recipients as r where r.account_id = m.account_id and r.message_id = m.id and r.bucket = m.bucket
        ${address} ${status} offset 0)`);
  }
  return conditions;
}

function all(conditions: readonly Sql[]): Sql {
  return sql.join([...conditions], sql` and `);
}

/** The lowest UUIDv7 of a millisecond. */
function firstIdAt(ms: number): string {
  const time = Math.min(Math.max(Math.trunc(ms), 0), 0xffff_ffff_ffff);
  return formatUuid(time.toString(16).padStart(12, '0').padEnd(32, '0'));
}
