// Deliveries as owners of webhooks see them, and how they set them going again.
import { type Selectable, sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { array } from './arrays.ts';
import { type ReadScope, withinServers, type WriteScope } from './scope.ts';
import type { WebhookDeliveriesTable } from './tables.gen.ts';

export type WebhookDeliveryRow = Selectable<WebhookDeliveriesTable>;
export type DeliveryState = WebhookDeliveryRow['state'];

/** Ids carry their bucket as message ids do (Ids.nextInBucket). Whose webhook is gone are not found. */
export async function findDeliveries(scope: ReadScope, ids: readonly string[]): Promise<WebhookDeliveryRow[]> {
  if (ids.length === 0 || scope.streamId !== null) return [];
  let query = scope.db
    .selectFrom('webhookDeliveries as d')
    .innerJoin('webhooks as w', (join) =>
      join.onRef('w.accountId', '=', 'd.accountId').onRef('w.id', '=', 'd.webhookId'),
    )
    .selectAll('d')
    .where('d.accountId', '=', scope.accountId)
    .where('d.id', '=', sql<string>`any(${array('uuid', ids)})`)
    .where('d.bucket', '=', sql<number>`any(${array('int', [...new Set(ids.map(bucketOfMessage))])})`);
  const within = withinServers(scope, 'd.server_id');
  if (within !== null) query = query.where(within);
  return query.execute();
}

/** Newest first. The scope has found the webhook. */
export function listDeliveries(
  scope: ReadScope,
  page: {
    readonly webhookId: string;
    readonly state: DeliveryState | null;
    readonly before: string | null;
    readonly limit: number;
  },
): Promise<WebhookDeliveryRow[]> {
  let query = scope.db
    .selectFrom('webhookDeliveries')
    .selectAll()
    .where('webhookId', '=', page.webhookId)
    .where('accountId', '=', scope.accountId)
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.before !== null) query = query.where('id', '<', page.before);
  if (page.state !== null) query = query.where('state', '=', page.state);
  return query.execute();
}

/** Due at once, with a day of tries before it; undefined for one that is neither pending nor failed. */
export function restartDelivery(
  scope: WriteScope,
  { id, bucket }: Pick<WebhookDeliveryRow, 'id' | 'bucket'>,
): Promise<WebhookDeliveryRow | undefined> {
  return scope.tx
    .updateTable('webhookDeliveries')
    .set({ state: 'PENDING', attempts: 0, nextAttemptAt: scope.now, firstAttemptAt: null })
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .where('bucket', '=', bucket)
    .where('state', '!=', 'SUCCEEDED')
    .returningAll()
    .executeTakeFirst();
}

/** The same for all that wait for an endpoint. */
export async function restartPending(scope: WriteScope, webhookId: string): Promise<void> {
  await pendingOf(scope, webhookId).set({ attempts: 0, nextAttemptAt: scope.now, firstAttemptAt: null }).execute();
}

/** Gives up what waits for an endpoint, for all to see. */
export async function failPending(scope: WriteScope, webhookId: string, reason: string): Promise<void> {
  await pendingOf(scope, webhookId).set({ state: 'FAILED', nextAttemptAt: null, lastError: reason }).execute();
}

function pendingOf(scope: WriteScope, webhookId: string) {
  return scope.tx
    .updateTable('webhookDeliveries')
    .where('webhookId', '=', webhookId)
    .where('accountId', '=', scope.accountId)
    .where('state', '=', 'PENDING');
}
