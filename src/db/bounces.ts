// Bounces and complaints, as the customer sees them.
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { firstIdAt, ID_SLACK_MS } from '#/domain/ids.ts';
import { bucketAt, bucketOfMessage } from '#/domain/retention.ts';
import { array } from './arrays.ts';
import { planAnew } from './client.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import { type ReadScope, type SystemWriteScope, withinServers } from './scope.ts';
import type { BouncesTable } from './tables.gen.ts';

export type BounceRow = Selectable<BouncesTable>;

const spec: InsertSpec<BounceRow> = {
  table: 'bounces',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    id: 'uuid',
    serverId: 'uuid',
    streamId: 'uuid',
    messageId: 'uuid',
    ordinal: 'smallint',
    type: 'text',
    address: 'text',
    addressKey: 'text',
    tag: 'text',
    occurredAt: 'timestamptz',
    smtpCode: 'smallint',
    enhancedCode: 'text',
    details: 'text',
    suppressionId: 'uuid',
  },
};

export function insertBounces(scope: SystemWriteScope, rows: readonly BounceRow[]): Promise<void> {
  return insertAll(scope.tx, spec, rows);
}

/** Bounce ids carry their bucket as message ids do (Ids.nextInBucket). */
export function findBounces(scope: ReadScope, ids: readonly string[]): Promise<BounceRow[]> {
  let query = scope.db
    .selectFrom('bounces')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .where('bucket', '=', sql<number>`any(${array('int', [...new Set(ids.map(bucketOfMessage))])})`);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('streamId', '=', scope.streamId);
  return query.execute();
}

export interface BounceSearch {
  readonly serverId: string;
  /** Only older ones than this. */
  readonly before: string | null;
  readonly limit: number;
  readonly now: Date;
  readonly streamId: string | null;
  readonly type: string | null;
  readonly addressKey: string | null;
  readonly messageId: string | null;
  readonly tag: string | null;
  /** The address is suppressed because of it. */
  readonly inactive: boolean | null;
  readonly since: Date | null;
  readonly until: Date | null;
}

type Sql = RawBuilder<unknown>;

/**
 * Newest first, along one index, the narrowest of those that the filter names: what else must hold is looked at row by
 * row (`is true` hides it from the planner's choice).
 */
export function searchBounces(scope: ReadScope, search: BounceSearch): Promise<BounceRow[]> {
  const [driver, ...checked] = conditionsOf(scope, search);
  const all = [
    driver ?? sql`d.server_id = ${search.serverId}::uuid`,
    sql`d.bucket >= ${bucketAt(search.now, 0)}`,
    ...range(search),
    ...[...checked, ...ownership(scope, search)].map((one) => sql`(${one}) is true`),
  ];
  const page = sql<BounceRow>`(
    select d.* from bounces as d where ${sql.join(all, sql` and `)} order by d.id desc limit ${search.limit})`;
  return scope.db.selectFrom(page.as('page')).selectAll().orderBy('id', 'desc').modifyFront(planAnew).execute();
}

/** Each with the beginning of its index; the narrowest first. */
function conditionsOf(scope: ReadScope, search: BounceSearch): Sql[] {
  const ofServer = sql`d.server_id = ${search.serverId}::uuid`;
  const conditions: Sql[] = [];
  if (search.messageId !== null) conditions.push(sql`d.message_id = ${search.messageId}::uuid`);
  if (search.addressKey !== null) conditions.push(sql`${ofServer} and d.address_key = ${search.addressKey}`);
  if (search.tag !== null) conditions.push(sql`${ofServer} and d.tag = ${search.tag}`);
  if (search.type !== null) conditions.push(sql`${ofServer} and d.type = ${search.type}`);
  const suppressing = sql`exists (
    select from suppressions as s where s.account_id = d.account_id and s.id = d.suppression_id offset 0)`;
  if (search.inactive === true) conditions.push(sql`${ofServer} and d.suppression_id is not null`, sql`${suppressing}`);
  const streamId = scope.streamId ?? search.streamId;
  if (streamId !== null) conditions.push(sql`d.stream_id = ${streamId}::uuid`);
  if (search.inactive === false) conditions.push(ofServer, sql`not ${suppressing}`);
  return conditions;
}

function ownership(scope: ReadScope, search: BounceSearch): Sql[] {
  const conditions: Sql[] = [sql`d.account_id = ${scope.accountId}::uuid`, sql`d.server_id = ${search.serverId}::uuid`];
  const within = withinServers(scope, 'd.server_id');
  if (within !== null) conditions.push(within);
  for (const streamId of [scope.streamId, search.streamId])
    if (streamId !== null) conditions.push(sql`d.stream_id = ${streamId}::uuid`);
  if (search.since !== null) conditions.push(sql`d.occurred_at >= ${search.since}`);
  if (search.until !== null) conditions.push(sql`d.occurred_at < ${search.until}`);
  return conditions;
}

function range({ before, since, until }: BounceSearch): Sql[] {
  const conditions: Sql[] = [];
  if (before !== null) conditions.push(sql`d.id < ${before}::uuid`);
  if (since !== null) conditions.push(sql`d.id >= ${firstIdAt(since.getTime())}::uuid`);
  if (until !== null) conditions.push(sql`d.id < ${firstIdAt(until.getTime() + ID_SLACK_MS)}::uuid`);
  return conditions;
}
