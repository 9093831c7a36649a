// Messages that came in for applications. Their sources stand in message_contents under the same ids.
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { firstIdAt, ID_SLACK_MS } from '#/domain/ids.ts';
import type { InboundStatus } from '#/domain/inbound.ts';
import { bucketAt, bucketOfMessage } from '#/domain/retention.ts';
import { array } from './arrays.ts';
import { planAnew } from './client.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { InboundMessagesTable } from './tables.gen.ts';

export type InboundMessageRow = Selectable<InboundMessagesTable>;
/** jsonb as text; its place in the log is that of the transaction. */
export type NewInboundMessage = {
  [K in Exclude<
    keyof InboundMessageRow,
    'logXact' | 'receivedXact' | 'attempts' | 'lastAttemptAt' | 'lastStatus' | 'lastLatencyMs'
  >]: K extends 'people' | 'attachments' | 'authentication' ? string | null : InboundMessageRow[K];
};

/** Of the transaction that writes it, as in events. */
const LOG_XACT = 'pg_current_xact_id()::text::bigint + (select log_offset from installation)';

const spec: InsertSpec<NewInboundMessage> = {
  table: 'inbound_messages',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    id: 'uuid',
    serverId: 'uuid',
    streamId: 'uuid',
    receivedAt: 'timestamptz',
    expiresAt: 'timestamptz',
    status: { enum: 'inbound_status' },
    blockedBy: 'text',
    failure: 'text',
    fromAddress: 'text',
    fromKey: 'text',
    people: 'jsonb',
    originalRecipient: 'text',
    recipientKey: 'text',
    mailboxHash: 'text',
    subject: 'text',
    messageIdHeader: 'text',
    dateHeader: 'text',
    attachments: 'jsonb',
    size: 'int',
    spamScore: 'float8',
    authentication: 'jsonb',
    nextAttemptAt: 'timestamptz',
  },
  computed: { log_xact: LOG_XACT, received_xact: LOG_XACT },
};

export function insertInboundMessages(scope: SystemWriteScope, rows: readonly NewInboundMessage[]): Promise<void> {
  return insertAll(scope.tx, spec, rows);
}

function inboundMessages(scope: ReadScope, now: Date) {
  let query = scope.db
    .selectFrom('inboundMessages')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('expiresAt', '>', now);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('streamId', '=', scope.streamId);
  return query;
}

export function findInboundMessages(scope: ReadScope, ids: readonly string[], now: Date): Promise<InboundMessageRow[]> {
  return inboundMessages(scope, now)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .where('bucket', '=', sql<number>`any(${array('int', [...new Set(ids.map(bucketOfMessage))])})`)
    .execute();
}

export interface InboundSearch {
  readonly serverId: string;
  /** Only older ones than this. */
  readonly before: string | null;
  readonly limit: number;
  readonly now: Date;
  readonly status: InboundStatus | null;
  readonly recipientKey: string | null;
  readonly fromKey: string | null;
  readonly mailboxHash: string | null;
  readonly since: Date | null;
  readonly until: Date | null;
}

type Sql = RawBuilder<unknown>;

/** Newest first, along one index, the narrowest of those that the filter names, as in bounces.ts. */
export function searchInboundMessages(scope: ReadScope, search: InboundSearch): Promise<InboundMessageRow[]> {
  const ofServer = sql`d.server_id = ${search.serverId}::uuid`;
  const [driver, ...checked] = conditionsOf(search);
  const { before, since, until } = search;
  const followed: Sql[] = [ofServer, sql`d.bucket >= ${bucketAt(search.now, 0)}`];
  if (driver !== undefined) followed.push(driver);
  if (before !== null) followed.push(sql`d.id < ${before}::uuid`);
  if (since !== null) followed.push(sql`d.id >= ${firstIdAt(since.getTime())}::uuid`);
  if (until !== null) followed.push(sql`d.id < ${firstIdAt(until.getTime() + ID_SLACK_MS)}::uuid`);
  checked.push(sql`d.account_id = ${scope.accountId}::uuid`, sql`d.expires_at > ${search.now}`);
  const within = withinServers(scope, 'd.server_id');
  if (within !== null) checked.push(within);
  if (scope.streamId !== null) checked.push(sql`d.stream_id = ${scope.streamId}::uuid`);
  if (since !== null) checked.push(sql`d.received_at >= ${since}`);
  if (until !== null) checked.push(sql`d.received_at < ${until}`);
  const all = [...followed, ...checked.map((one) => sql`(${one}) is true`)];
  const page = sql<InboundMessageRow>`(
    select d.* from inbound_messages as d where ${sql.join(all, sql` and `)} order by d.id desc limit ${search.limit})`;
  return scope.db.selectFrom(page.as('page')).selectAll().orderBy('id', 'desc').modifyFront(planAnew).execute();
}

function conditionsOf({ mailboxHash, fromKey, recipientKey, status }: InboundSearch): Sql[] {
  const conditions: Sql[] = [];
  if (mailboxHash !== null) conditions.push(sql`d.mailbox_hash = ${mailboxHash} and d.mailbox_hash <> ''`);
  if (fromKey !== null) conditions.push(sql`d.from_key = ${fromKey}`);
  if (recipientKey !== null) conditions.push(sql`d.recipient_key = ${recipientKey}`);
  if (status !== null) conditions.push(sql`d.status = ${status}::inbound_status`);
  return conditions;
}

/** Takes a message up again, told anew to those who follow. Undefined: it is not in one of these states any more. */
export async function requeueInboundMessage(
  scope: WriteScope,
  id: string,
  from: readonly InboundStatus[],
  to: InboundStatus,
): Promise<InboundMessageRow | undefined> {
  return scope.tx
    .updateTable('inboundMessages')
    .set({
      ...{ status: to, blockedBy: null, failure: null, logXact: sql<number>`${sql.raw(LOG_XACT)}` },
      ...{ attempts: 0, nextAttemptAt: to === 'QUEUED' ? scope.now : null },
    })
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .where('bucket', '=', bucketOfMessage(id))
    .where('status', 'in', [...from])
    .returningAll()
    .executeTakeFirst();
}

/** Kept, and of a server that is there: for whoever holds proof that they may have it, and has no scope. */
export async function isInboundMessageKept(
  scope: SystemScope,
  { accountId, id }: { readonly accountId: string; readonly id: string },
  now: Date,
): Promise<boolean> {
  const row = await scope.db
    .selectFrom('inboundMessages as m')
    .innerJoin('servers as s', (join) => join.onRef('s.accountId', '=', 'm.accountId').onRef('s.id', '=', 'm.serverId'))
    .select('m.id')
    .where('m.accountId', '=', accountId)
    .where('m.id', '=', id)
    .where('m.bucket', '=', bucketOfMessage(id))
    .where('m.expiresAt', '>', now)
    .where('s.deletedAt', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}
