// Finds messages of a server by any mix of filters, newest first.
//
// Whatever the filters, the search follows one index that has the ids in order, newest first, and stops when the page is
// full. The index is the one in which the fewest rows pass: with more than one to choose from, the beginning of each is
// read first, which costs less than a wrong choice. What else must hold is looked up row by row (`offset 0` and `limit 1`
// keep those look-ups from becoming joins), so no plan sorts or hashes what it would then throw away.
import { type RawBuilder, sql } from 'kysely';
import { firstIdAt, ID_SLACK_MS } from '#/domain/ids.ts';
import { bucketAt } from '#/domain/retention.ts';
import { planAnew } from './client.ts';
import type { MessageRow } from './messages.ts';
import { type ReadScope, withinServers } from './scope.ts';
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

/** Rows of an index that are read to tell how dense it is: a page or two of it. */
const PROBE = 100;

type Sql = RawBuilder<unknown>;

/** One index that can be followed, as the conditions on its table. */
interface Driver {
  readonly table: 'messages' | 'recipients' | 'message_terms';
  readonly id: 'id' | 'message_id';
  readonly conditions: readonly Sql[];
  readonly term?: number;
}

export async function searchMessages(scope: ReadScope, search: MessageSearch): Promise<MessageRow[]> {
  const drivers = driversOf(scope, search);
  const driver = drivers.length === 1 ? drivers[0] : drivers[await sparsest(scope, search, drivers)];
  if (driver === undefined) throw new Error('a search without a driver');
  const page = (
    driver.table === 'messages' ? overMessages(scope, search, driver) : overRelated(scope, search, driver)
  ).as('page');
  return scope.db.selectFrom(page).selectAll().modifyFront(planAnew).execute();
}

function overMessages(scope: ReadScope, search: MessageSearch, driver: Driver): RawBuilder<MessageRow> {
  // `is true` hides a condition from the planner's choice of an index: the key (account_id, id), for one, has the order
  // too, and would be read to its end for a server that has few of its account's messages.
  const checked = [...messageConditions(scope, search, 'd'), ...relatedConditions(search, driver)];
  const conditions = [
    ...driver.conditions,
    ...range(search, driver.id),
    ...checked.map((one) => sql`(${one}) is true`),
  ];
  return sql<MessageRow>`(
    select d.* from messages as d where ${all(conditions)} order by d.id desc limit ${search.limit})`;
}

function overRelated(scope: ReadScope, search: MessageSearch, driver: Driver): RawBuilder<MessageRow> {
  const conditions = [...driver.conditions, ...range(search, driver.id), ...relatedConditions(search, driver)];
  // A message has several recipients of one status, and one row for each term.
  const distinct = driver.table === 'recipients' ? sql`distinct on (d.message_id)` : sql``;
  return sql<MessageRow>`(
    select m.* from (
      select ${distinct} d.message_id as id, d.bucket from ${sql.raw(driver.table)} as d
      where ${all(conditions)} order by d.message_id desc) as found
    cross join lateral (
      select * from messages
      where account_id = ${scope.accountId}::uuid and id = found.id and bucket = found.bucket limit 1) as m
    where ${all(messageConditions(scope, search, 'm'))}
    order by found.id desc limit ${search.limit})`;
}

function driversOf(scope: ReadScope, search: MessageSearch): Driver[] {
  const ofServer = sql`d.server_id = ${search.serverId}::uuid`;
  const onMessages = (...conditions: Sql[]): Driver => ({ table: 'messages', id: 'id', conditions });
  const drivers: Driver[] = search.terms.map((term) => ({
    table: 'message_terms',
    id: 'message_id',
    conditions: [sql`d.account_id = ${scope.accountId}::uuid`, ofServer, sql`d.term = ${term}::bigint`],
    term,
  }));
  if (search.addressKey !== null || search.status !== null) {
    const conditions = [ofServer, ...recipientConditions(search, 'd')];
    drivers.push({ table: 'recipients', id: 'message_id', conditions });
  }
  if (search.tag !== null) drivers.push(onMessages(ofServer, sql`d.tag = ${search.tag}`));
  if (search.fromKey !== null) drivers.push(onMessages(ofServer, sql`d.from_key = ${search.fromKey}`));
  const streamId = scope.streamId ?? search.streamId;
  if (streamId !== null) drivers.push(onMessages(sql`d.stream_id = ${streamId}::uuid`));
  return drivers.length > 0 ? drivers : [onMessages(ofServer)];
}

interface Probe {
  readonly place: number;
  readonly rows: number;
  readonly oldest: string | null;
}

/** The index with the fewest rows; of those longer than a probe, the one whose probe reaches furthest back. */
async function sparsest(scope: ReadScope, search: MessageSearch, drivers: readonly Driver[]): Promise<number> {
  const probes = drivers.map(({ table, id, conditions }, place) => {
    const column = sql.raw(`d.${id}`);
    return sql`
      select ${sql.lit(place)} as place, count(*)::int as rows, min(head.id::text collate "C") as oldest from (
        select ${column} as id from ${sql.raw(table)} as d where ${all([...conditions, ...range(search, id)])}
        order by ${column} desc limit ${PROBE}) as head`;
  });
  const probed = sql<Probe>`(${sql.join(probes, sql` union all `)})`.as('probed');
  const found = await scope.db.selectFrom(probed).selectAll().modifyFront(planAnew).execute();
  const [best] = found.toSorted((a, b) => a.rows - b.rows || ((a.oldest ?? '') < (b.oldest ?? '') ? -1 : 1));
  return best?.place ?? 0;
}

/** The part of an index that ids, and the partitions that are still kept, leave. */
function range(search: MessageSearch, idColumn: Driver['id']): Sql[] {
  const id = sql.raw(`d.${idColumn}`);
  const conditions: Sql[] = [sql`d.bucket >= ${bucketAt(search.now, 0)}`];
  if (search.before !== null) conditions.push(sql`${id} < ${search.before}::uuid`);
  if (search.since !== null) conditions.push(sql`${id} >= ${firstIdAt(search.since.getTime())}::uuid`);
  if (search.until !== null) conditions.push(sql`${id} < ${firstIdAt(search.until.getTime() + ID_SLACK_MS)}::uuid`);
  return conditions;
}

/** On the message itself; all of them, whichever index led to it. */
function messageConditions(scope: ReadScope, search: MessageSearch, alias: 'd' | 'm'): Sql[] {
  const column = (name: string) => sql.raw(`${alias}.${name}`);
  const conditions: Sql[] = [
    sql`${column('account_id')} = ${scope.accountId}::uuid`,
    sql`${column('server_id')} = ${search.serverId}::uuid`,
    sql`${column('expires_at')} > ${search.now}`,
  ];
  const within = withinServers(scope, `${alias}.server_id`);
  if (within !== null) conditions.push(within);
  if (scope.streamId !== null) conditions.push(sql`${column('stream_id')} = ${scope.streamId}::uuid`);
  if (search.streamId !== null) conditions.push(sql`${column('stream_id')} = ${search.streamId}::uuid`);
  if (search.fromKey !== null) conditions.push(sql`${column('from_key')} = ${search.fromKey}`);
  if (search.tag !== null) conditions.push(sql`${column('tag')} = ${search.tag}`);
  if (search.metadata !== null)
    conditions.push(sql`${column('metadata')} @> ${JSON.stringify(search.metadata)}::jsonb`);
  if (search.since !== null) conditions.push(sql`${column('accepted_at')} >= ${search.since}`);
  if (search.until !== null) conditions.push(sql`${column('accepted_at')} < ${search.until}`);
  return conditions;
}

/** On rows beside the message, but for those that are followed. */
function relatedConditions(search: MessageSearch, driver: Driver): Sql[] {
  const id = sql.raw(`d.${driver.id}`);
  const conditions: Sql[] = [];
  for (const term of search.terms) {
    if (term === driver.term) continue;
    conditions.push(sql`exists (
      select from message_terms as t where t.account_id = d.account_id and t.server_id = ${search.serverId}::uuid
        and t.term = ${term}::bigint and t.message_id = ${id} and t.bucket = d.bucket offset 0)`);
  }
  const onRecipient = recipientConditions(search, 'r');
  if (driver.table !== 'recipients' && onRecipient.length > 0) {
    conditions.push(sql`exists (
      select from recipients as r where r.account_id = d.account_id and r.message_id = ${id} and r.bucket = d.bucket
        and ${all(onRecipient)} offset 0)`);
  }
  return conditions;
}

function recipientConditions(search: MessageSearch, alias: 'd' | 'r'): Sql[] {
  const conditions: Sql[] = [];
  if (search.addressKey !== null) conditions.push(sql`${sql.raw(alias)}.address_key = ${search.addressKey}`);
  if (search.status !== null) conditions.push(sql`${sql.raw(alias)}.status = ${search.status}::delivery_status`);
  return conditions;
}

function all(conditions: readonly Sql[]): Sql {
  return sql.join([...conditions], sql` and `);
}
