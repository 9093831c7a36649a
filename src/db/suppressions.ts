// Addresses that get no mail, for each stream, under a hash of the address.
import { sql } from 'kysely';
import type { SuppressionReason } from '#/domain/errors.ts';
import type { ReadScope, SystemWriteScope } from './scope.ts';
import { array } from './arrays.ts';

export interface SuppressionKey {
  readonly streamId: string;
  readonly hash: Buffer;
}

export interface FoundSuppression extends SuppressionKey {
  readonly reason: SuppressionReason;
}

export async function findSuppressions(scope: ReadScope, keys: readonly SuppressionKey[]): Promise<FoundSuppression[]> {
  if (keys.length === 0) return [];
  const streams = keys.map(({ streamId }) => streamId);
  const hashes = keys.map(({ hash }) => hash);
  // Row by row, `limit 1`: as a join it would follow the stream's index, and read all of its suppressions.
  const found = sql<FoundSuppression>`(
    select s.stream_id, s.address_hash as hash, s.reason
    from unnest(${array('uuid', streams)}, ${array('bytea', hashes)}) as w (stream_id, hash)
    cross join lateral (
      select * from suppressions
      where account_id = ${scope.accountId}::uuid and stream_id = w.stream_id and address_hash = w.hash limit 1) as s)`;
  return scope.db.selectFrom(found.as('found')).selectAll().execute();
}

export interface NewSuppression {
  readonly accountId: string;
  readonly streamId: string;
  readonly hash: Buffer;
  readonly id: string;
  readonly address: string;
  readonly reason: SuppressionReason;
  readonly origin: 'RECIPIENT' | 'CUSTOMER' | 'OPERATOR';
}

/** Answers the ids of those that were new: an address that is suppressed already stays as it is. */
export async function insertSuppressions(
  scope: SystemWriteScope,
  rows: readonly NewSuppression[],
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const inserted = await scope.tx
    .insertInto('suppressions')
    .columns(['accountId', 'streamId', 'addressHash', 'id', 'address', 'reason', 'origin', 'createdAt'])
    .values(
      rows.map(({ accountId, streamId, hash, id, address, reason, origin }) => ({
        accountId,
        streamId,
        addressHash: hash,
        id,
        address,
        reason,
        origin,
        createdAt: scope.now,
      })),
    )
    .onConflict((conflict) => conflict.columns(['accountId', 'streamId', 'addressHash']).doNothing())
    .returning('id')
    .execute();
  return new Set(inserted.map(({ id }) => id));
}

/** Of those of `ids` that are still in force. */
export async function listSuppressionReasons(
  scope: ReadScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SuppressionReason>> {
  const rows = await scope.db
    .selectFrom('suppressions')
    .select(['id', 'reason'])
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
  return new Map(rows.map(({ id, reason }) => [id, reason]));
}
