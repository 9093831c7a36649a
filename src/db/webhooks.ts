// Webhooks as their owners see and change them. Who calls them, and when: webhook-work.ts.
import { type Selectable, sql } from 'kysely';
import { type ReadScope, type SystemScope, withinServers, type WriteScope } from './scope.ts';
import type { WebhookReplaysTable, WebhooksTable } from './tables.gen.ts';

export type WebhookRow = Selectable<WebhooksTable>;
export type WebhookReplayRow = Selectable<WebhookReplaysTable>;

/** Who is bound to one stream sees none: an endpoint is of the whole server. Those of a deleted server are gone with it. */
function visible(scope: ReadScope) {
  let query = scope.db
    .selectFrom('webhooks as w')
    .innerJoin('servers as s', (join) => join.onRef('s.accountId', '=', 'w.accountId').onRef('s.id', '=', 'w.serverId'))
    .selectAll('w')
    .where('w.accountId', '=', scope.accountId)
    .where('s.deletedAt', 'is', null);
  const within = withinServers(scope, 'w.server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where(sql<boolean>`false`);
  return query;
}

export function findWebhooks(scope: ReadScope, ids: readonly string[]): Promise<WebhookRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return visible(scope)
    .where('w.id', 'in', [...ids])
    .execute();
}

export async function findWebhook(scope: ReadScope, id: string): Promise<WebhookRow | undefined> {
  return (await findWebhooks(scope, [id]))[0];
}

/** Oldest first. */
export function listWebhooks(scope: ReadScope, serverIds: readonly string[]): Promise<WebhookRow[]> {
  if (serverIds.length === 0) return Promise.resolve([]);
  return visible(scope)
    .where('w.serverId', 'in', [...serverIds])
    .orderBy('w.id')
    .execute();
}

/** Serialises changes with those of whoever calls it. */
export async function lockWebhook(scope: WriteScope, id: string): Promise<WebhookRow | undefined> {
  await scope.tx
    .selectFrom('webhooks')
    .select('id')
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .forUpdate()
    .execute();
  return findWebhook(scope, id);
}

export type NewWebhook = Pick<
  WebhookRow,
  | 'accountId'
  | 'id'
  | 'serverId'
  | 'urlShown'
  | 'targetEncrypted'
  | 'headerNames'
  | 'hasBasicAuth'
  | 'secretEncrypted'
  | 'signingKeyEncrypted'
  | 'publicKey'
  | 'events'
  | 'streamIds'
  | 'createdAt'
  | 'verifiedAt'
  | 'cursorXact'
  | 'cursorId'
>;

export function insertWebhook(scope: WriteScope, webhook: NewWebhook): Promise<WebhookRow> {
  return scope.tx.insertInto('webhooks').values(webhook).returningAll().executeTakeFirstOrThrow();
}

/** Whoever holds it looks again. */
export function updateWebhook(
  scope: WriteScope,
  id: string,
  changes: Partial<Omit<WebhookRow, 'accountId' | 'id' | 'serverId' | 'revision'>>,
): Promise<WebhookRow> {
  return scope.tx
    .updateTable('webhooks')
    .set({ ...changes, revision: sql<number>`revision + 1` })
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** With its replays; its deliveries go with their week. */
export async function deleteWebhook(scope: WriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('webhooks').where('accountId', '=', scope.accountId).where('id', '=', id).execute();
}

export function insertReplay(scope: WriteScope, replay: WebhookReplayRow): Promise<unknown> {
  return scope.tx.insertInto('webhookReplays').values(replay).execute();
}

export async function countReplays(scope: WriteScope, webhookId: string): Promise<number> {
  const { count } = await scope.tx
    .selectFrom('webhookReplays')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('accountId', '=', scope.accountId)
    .where('webhookId', '=', webhookId)
    .executeTakeFirstOrThrow();
  return count;
}

export interface WebhookNotice {
  readonly accountId: string;
  readonly serverName: string;
  readonly urlShown: string;
  readonly notice: string;
  readonly failingSince: Date | null;
}

/** What owners are still to be told; each is given to one asker. */
export async function takeNotices(scope: SystemScope, limit: number): Promise<readonly WebhookNotice[]> {
  const { rows } = await sql<WebhookNotice>`
    update webhooks w set notice = null
    from (select account_id, id, notice from webhooks where notice is not null limit ${limit} for update skip locked) as due,
      servers s
    where w.account_id = due.account_id and w.id = due.id and s.account_id = w.account_id and s.id = w.server_id
    returning w.account_id, s.name as server_name, w.url_shown, due.notice, w.failing_since`.execute(scope.db);
  return rows;
}

export type SealedWebhook = Pick<
  WebhookRow,
  'accountId' | 'id' | 'targetEncrypted' | 'secretEncrypted' | 'previousSecretEncrypted' | 'signingKeyEncrypted'
>;
export type SealedColumn = Exclude<keyof SealedWebhook, 'accountId' | 'id'>;

export function listSealedWebhooks(
  { db }: SystemScope,
  after: string | null,
  limit: number,
): Promise<readonly SealedWebhook[]> {
  let query = db
    .selectFrom('webhooks')
    .select(['accountId', 'id', 'targetEncrypted', 'secretEncrypted', 'previousSecretEncrypted', 'signingKeyEncrypted'])
    .orderBy('id')
    .limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return query.execute();
}

/** Unless it was changed since it was read. */
export async function resealWebhook(
  { db }: SystemScope,
  { accountId, id }: SealedWebhook,
  column: SealedColumn,
  old: Buffer,
  sealed: Buffer,
): Promise<void> {
  await db
    .updateTable('webhooks')
    .set({ [column]: sealed })
    .where('accountId', '=', accountId)
    .where('id', '=', id)
    .where(column, '=', old)
    .execute();
}
