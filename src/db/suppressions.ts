// Addresses that get no mail, for each stream, under a hash of the address.
import { CompiledQuery, sql } from 'kysely';
import type { SuppressionReason } from '#/domain/errors.ts';
import type { ReadScope, SystemWriteScope, WriteScope } from './scope.ts';
import { array, encodeArray } from './arrays.ts';

export interface SuppressionKey {
  readonly streamId: string;
  readonly hash: Buffer;
}

export interface FoundSuppression extends SuppressionKey {
  readonly reason: SuppressionReason;
}

/** Row by row, `limit 1`: as a join it would follow the stream's index, and read all of its suppressions. */
const FIND = `
  select s.stream_id as "streamId", s.address_hash as hash, s.reason
  from unnest($2::uuid[], $3::bytea[]) as w (stream_id, hash)
  cross join lateral (
    select * from suppressions
    where account_id = $1::uuid and stream_id = w.stream_id and address_hash = w.hash limit 1) as s`;

export async function findSuppressions(
  scope: WriteScope,
  keys: readonly SuppressionKey[],
): Promise<FoundSuppression[]> {
  if (keys.length === 0) return [];
  const streams = encodeArray(
    'uuid',
    keys.map(({ streamId }) => streamId),
  );
  const hashes = encodeArray(
    'bytea',
    keys.map(({ hash }) => hash),
  );
  const statement = CompiledQuery.raw(FIND, [scope.accountId, streams, hashes]);
  const { rows } = await scope.tx.withoutPlugins().executeQuery<FoundSuppression>(statement);
  return rows;
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
