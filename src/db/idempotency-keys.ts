// Idempotency keys: claimed in the transaction of the message that they stand for, so that key and message are there
// together or not at all.
import { CompiledQuery, sql } from 'kysely';
import type { SystemScope, WriteScope } from './scope.ts';
import { array, encodeArray } from './arrays.ts';

/** The same key and body within this time gives the first answer again. */
export const IDEMPOTENCY_HOURS = 24;

export interface IdempotencyClaim {
  readonly serverId: string;
  readonly key: string;
  readonly requestHash: Buffer;
  readonly messageId: string;
}

/** Row by row, `limit 1`: as a join it would follow another index of the account, and read all of its keys. */
const FIND = `
  select k.server_id as "serverId", k.key, k.request_hash as "requestHash", k.message_id as "messageId"
  from unnest($2::uuid[], $3::text[]) as w (server_id, key)
  cross join lateral (
    select * from idempotency_keys where account_id = $1::uuid and server_id = w.server_id and key = w.key limit 1) as k
  where k.expires_at > $4`;

/** Keys that are held, of those asked for. */
export async function findIdempotencyKeys(
  scope: WriteScope,
  keys: readonly Pick<IdempotencyClaim, 'serverId' | 'key'>[],
): Promise<IdempotencyClaim[]> {
  if (keys.length === 0) return [];
  const servers = encodeArray(
    'uuid',
    keys.map(({ serverId }) => serverId),
  );
  const names = encodeArray(
    'text',
    keys.map(({ key }) => key),
  );
  const statement = CompiledQuery.raw(FIND, [scope.accountId, servers, names, scope.now]);
  const { rows } = await scope.tx.withoutPlugins().executeQuery<IdempotencyClaim>(statement);
  return rows;
}

/**
 * Claims keys; waits for a transaction that is claiming the same one. Answers the keys that it got: the others were
 * claimed meanwhile. Sorted, so that two that claim the same keys do not wait for each other in a circle.
 */
export async function claimIdempotencyKeys(
  scope: WriteScope,
  claims: readonly IdempotencyClaim[],
): Promise<Set<string>> {
  if (claims.length === 0) return new Set();
  const sorted = claims.toSorted((a, b) => (a.serverId + a.key < b.serverId + b.key ? -1 : 1));
  const expiresAt = new Date(scope.now.getTime() + IDEMPOTENCY_HOURS * 3_600_000);
  const { rows } = await sql<{ serverId: string; key: string }>`
    insert into idempotency_keys as held (account_id, server_id, key, request_hash, message_id, expires_at)
    select ${scope.accountId}::uuid, c.server_id, c.key, c.request_hash, c.message_id, ${expiresAt}
    from unnest(${array(
      'uuid',
      sorted.map(({ serverId }) => serverId),
    )}, ${array(
      'text',
      sorted.map(({ key }) => key),
    )},
      ${array(
        'bytea',
        sorted.map(({ requestHash }) => requestHash),
      )}, ${array(
        'uuid',
        sorted.map(({ messageId }) => messageId),
      )})
      as c (server_id, key, request_hash, message_id)
    on conflict (account_id, server_id, key) do update
      set request_hash = excluded.request_hash, message_id = excluded.message_id, expires_at = excluded.expires_at
      where held.expires_at <= ${scope.now}
    returning server_id, key`.execute(scope.tx);
  return new Set(rows.map(({ serverId, key }) => `${serverId}/${key}`));
}

/** Deletes at most `limit` keys that have expired; answers how many. */
export async function deleteExpiredKeys(scope: SystemScope, now: Date, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where ctid in (
      select ctid from idempotency_keys where expires_at <= ${now} order by expires_at limit ${limit})`.execute(
    scope.db,
  );
  return Number(numAffectedRows ?? 0n);
}
