// Recipients of messages: one row for each address, with the state of its delivery.
import { type Selectable, sql } from 'kysely';
import { bucketAt, bucketOfMessage } from '#/domain/retention.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import type { ReadScope, WriteScope } from './scope.ts';
import type { DeliveryAttemptsTable, RecipientsTable } from './tables.gen.ts';
import { array } from './arrays.ts';

export type RecipientRow = Selectable<RecipientsTable>;
export type AttemptRow = Selectable<DeliveryAttemptsTable>;

const spec: InsertSpec<RecipientRow> = {
  table: 'recipients',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    messageId: 'uuid',
    ordinal: 'smallint',
    serverId: 'uuid',
    kind: { enum: 'recipient_kind' },
    status: { enum: 'delivery_status' },
    address: 'text',
    addressKey: 'text',
    settledAt: 'timestamptz',
  },
};

export function insertRecipients(scope: WriteScope, rows: readonly RecipientRow[]): Promise<void> {
  return insertAll(scope.tx, spec, rows);
}

const buckets = (messageIds: readonly string[]) => [...new Set(messageIds.map(bucketOfMessage))];

/** Of messages that the scope has found; in the order of the message. */
export function listRecipients(scope: ReadScope, messageIds: readonly string[]): Promise<RecipientRow[]> {
  return scope.db
    .selectFrom('recipients')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('messageId', '=', sql<string>`any(${array('uuid', messageIds)})`)
    .where('bucket', '=', sql<number>`any(${array('int', buckets(messageIds))})`)
    .orderBy('messageId')
    .orderBy('ordinal')
    .execute();
}

/** Of messages that the scope has found; oldest first. */
export function listAttempts(scope: ReadScope, messageIds: readonly string[]): Promise<AttemptRow[]> {
  return scope.db
    .selectFrom('deliveryAttempts')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('messageId', '=', sql<string>`any(${array('uuid', messageIds)})`)
    .where('bucket', '=', sql<number>`any(${array('int', buckets(messageIds))})`)
    .orderBy('messageId')
    .orderBy('ordinal')
    .orderBy('id')
    .execute();
}

export interface DueTime {
  readonly messageId: string;
  readonly ordinal: number;
  readonly dueAt: Date;
  readonly leased: boolean;
}

/** When recipients that are still open come next. */
export async function listDueTimes(scope: ReadScope, messageIds: readonly string[]): Promise<DueTime[]> {
  const rows = await scope.db
    .selectFrom('deliveryQueue')
    .select(['messageId', 'ordinal', 'dueAt', 'leaseOwner'])
    .where('accountId', '=', scope.accountId)
    // Until a pause ends, nobody knows when.
    .where('parked', '=', false)
    .where('messageId', '=', sql<string>`any(${array('uuid', messageIds)})`)
    .execute();
  return rows.map(({ messageId, ordinal, dueAt, leaseOwner }) => ({
    messageId,
    ordinal,
    dueAt,
    leased: leaseOwner !== null,
  }));
}

/** Of messages to one address on a server, newest first. */
export function listRecentRecipients(
  scope: ReadScope,
  { serverId, addressKey, now, limit }: { serverId: string; addressKey: string; now: Date; limit: number },
): Promise<RecipientRow[]> {
  let query = scope.db
    .selectFrom('recipients as r')
    .selectAll('r')
    .where('r.accountId', '=', scope.accountId)
    .where('r.serverId', '=', serverId)
    .where('r.addressKey', '=', addressKey)
    .where('r.bucket', '>=', bucketAt(now, 0))
    .orderBy('r.messageId', 'desc')
    .limit(limit);
  const { streamId } = scope;
  if (streamId !== null) {
    query = query.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('messages as m')
          .select('m.id')
          .whereRef('m.accountId', '=', 'r.accountId')
          .whereRef('m.id', '=', 'r.messageId')
          .whereRef('m.bucket', '=', 'r.bucket')
          .where('m.streamId', '=', streamId),
      ),
    );
  }
  return query.execute();
}
