// API tokens. Only the SHA-256 of a secret is stored.
import { type Selectable, sql } from 'kysely';
import type { Database } from './client.ts';
import { type ReadScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { ApiTokensTable } from './tables.gen.ts';
import { array } from './arrays.ts';

export type TokenRow = Selectable<ApiTokensTable>;

/** Before the caller is known: the one look-up by secret. A token whose server is gone is gone. */
export function findTokenBySecret(db: Database, secretHash: Buffer): Promise<TokenRow | undefined> {
  return db
    .selectFrom('apiTokens as t')
    .leftJoin('servers as s', (join) => join.onRef('s.accountId', '=', 't.accountId').onRef('s.id', '=', 't.serverId'))
    .selectAll('t')
    .where('t.secretHash', '=', secretHash)
    .where('s.deletedAt', 'is', null)
    .executeTakeFirst();
}

/** Which of these tokens may no longer be used. */
export async function listDeadTokens(db: Database, ids: readonly string[], now: Date): Promise<string[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    select asked.id from unnest(${array('uuid', ids)}) as asked (id)
    left join api_tokens t on t.id = asked.id
    left join servers s on s.account_id = t.account_id and s.id = t.server_id
    where t.id is null or t.revoked_at is not null or t.expires_at <= ${now} or s.deleted_at is not null`.execute(db);
  return rows.map(({ id }) => id);
}

export function findTokens(scope: ReadScope, ids: readonly string[]): Promise<TokenRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  let query = scope.db
    .selectFrom('apiTokens')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', 'in', [...ids]);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  return query.execute();
}

export async function insertToken(scope: WriteScope | SystemWriteScope, token: TokenRow): Promise<void> {
  await scope.tx.insertInto('apiTokens').values(token).execute();
}

/** Announce `tokens` after the commit. */
export async function revokeServerTokens(scope: WriteScope, serverId: string): Promise<number> {
  const result = await scope.tx
    .updateTable('apiTokens')
    .set({ revokedAt: scope.now })
    .where('accountId', '=', scope.accountId)
    .where('serverId', '=', serverId)
    .where('revokedAt', 'is', null)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** Never moves a time back: several nodes write the times that each of them saw. */
export async function recordTokenUses(db: Database, uses: ReadonlyMap<string, Date>): Promise<void> {
  if (uses.size === 0) return;
  await sql`
    update api_tokens t set last_used_at = u.at
    from unnest(${array('uuid', [...uses.keys()])}, ${array('timestamptz', [...uses.values()])}) as u (id, at)
    where t.id = u.id and (t.last_used_at is null or t.last_used_at < u.at)`.execute(db);
}
