// Bounces and complaints, as the customer sees them.
import { type Selectable, sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import { type ReadScope, type SystemWriteScope, withinServers } from './scope.ts';
import type { BouncesTable } from './tables.gen.ts';
import { array } from './arrays.ts';

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
