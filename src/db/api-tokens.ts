// API tokens. Only the SHA-256 of a secret is stored.
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { DEAD_TOKENS_LISTED_DAYS, MAX_DEAD_TOKENS_LISTED } from '#/domain/token-rules.ts';
import type { AccountRow } from './accounts.ts';
import type { Database } from './client.ts';
import { type ReadScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { ApiTokensTable } from './tables.gen.ts';
import { array } from './arrays.ts';

export type TokenRow = Selectable<ApiTokensTable>;

const DAY_MS = 86_400_000;

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

/** Before an account is known: which of ours these are, dead ones and those of deleted servers too. */
export async function findTokensBySecrets(db: Database, secretHashes: readonly Buffer[]): Promise<TokenRow[]> {
  if (secretHashes.length === 0) return [];
  return db
    .selectFrom('apiTokens')
    .selectAll()
    .where('secretHash', '=', sql<Buffer>`any(${array('bytea', secretHashes)})`)
    .execute();
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

/** Those of the account too, whatever servers the scope is bound to: whoever hands one out looks at the permission. */
export function findTokens(scope: ReadScope, ids: readonly string[]): Promise<TokenRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  let query = scope.db
    .selectFrom('apiTokens')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', 'in', [...ids]);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(sql<boolean>`(server_id is null or ${within})`);
  return query.execute();
}

/**
 * Tokens of these servers, newest first: all that live, and those that died lately. The scope decides which servers are
 * seen at all.
 */
export function listServerTokens(scope: ReadScope, serverIds: readonly string[], now: Date): Promise<TokenRow[]> {
  const within = withinServers(scope, 'server_id');
  const reached = within === null ? sql`` : sql`and ${within}`;
  return listTokens(scope, sql`server_id = any(${array('uuid', serverIds)}) ${reached}`, now);
}

/** Likewise those of the account itself; a scope that is bound to servers sees none. */
export function listAccountTokens(scope: ReadScope, now: Date): Promise<TokenRow[]> {
  return scope.servers === null ? listTokens(scope, sql`server_id is null`, now) : Promise.resolve([]);
}

async function listTokens({ db, accountId }: ReadScope, which: RawBuilder<unknown>, now: Date): Promise<TokenRow[]> {
  const since = new Date(now.getTime() - DEAD_TOKENS_LISTED_DAYS * DAY_MS);
  const listed = sql<TokenRow>`(
    select t.* from api_tokens t join (
      select id, dead_at, row_number() over (partition by server_id, dead_at is null order by id desc) as place
      from (
        select id, server_id, least(revoked_at, case when expires_at <= ${now} then expires_at end) as dead_at
        from api_tokens where account_id = ${accountId}::uuid and ${which}) as mine
    ) as placed on placed.id = t.id
    where t.account_id = ${accountId}::uuid
      and (dead_at is null or (dead_at > ${since} and place <= ${MAX_DEAD_TOKENS_LISTED})))`;
  return db.selectFrom(listed.as('listed')).selectAll().orderBy('id', 'desc').execute();
}

/** Waits for who is changing it. Undefined when the scope does not reach it. */
export function lockToken(scope: WriteScope, id: string): Promise<TokenRow | undefined> {
  let query = scope.tx
    .selectFrom('apiTokens')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  return query.forUpdate().executeTakeFirst();
}

/** Serialises what counts tokens of the account; rows that refer to the account are made meanwhile. */
export async function lockAccountTokens(scope: WriteScope): Promise<void> {
  await scope.tx.selectFrom('accounts').select('id').where('id', '=', scope.accountId).forNoKeyUpdate().execute();
}

export interface LiveTokens {
  /** But for those that are being rotated out. */
  readonly active: number;
  readonly rotating: number;
}

/** Of the server, or with null of the account itself. */
export async function countLiveTokens(scope: WriteScope, serverId: string | null): Promise<LiveTokens> {
  const { rows } = await sql<LiveTokens>`
    select count(*) filter (where replaced_by is null) as active,
      count(*) filter (where replaced_by is not null) as rotating
    from api_tokens
    where account_id = ${scope.accountId}::uuid and server_id is not distinct from ${serverId}::uuid
      and revoked_at is null and (expires_at is null or expires_at > ${scope.now})`.execute(scope.tx);
  return rows[0] ?? { active: 0, rotating: 0 };
}

/** Announce `tokens` after the commit. */
export function updateToken(
  scope: WriteScope,
  id: string,
  changes: Partial<Pick<TokenRow, 'expiresAt' | 'revokedAt' | 'replacedBy' | 'rotatedAt'>>,
): Promise<TokenRow> {
  return scope.tx
    .updateTable('apiTokens')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
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

export function setTokenReminderDays(scope: WriteScope, days: number): Promise<AccountRow | undefined> {
  return scope.tx
    .updateTable('accounts')
    .set({ tokenReminderDays: days })
    .where('id', '=', scope.accountId)
    .returningAll()
    .executeTakeFirst();
}

export interface TokenReminder {
  readonly accountId: string;
  readonly id: string;
  readonly name: string;
  readonly hint: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  /** Name of the server that it is of; null: of the account. */
  readonly serverName: string | null;
  /** Older than its account wants tokens to be. */
  readonly old: boolean;
  readonly unused: boolean;
}

/**
 * Live tokens of which their accounts are to be reminded, marked as told: no other node gets them. Of at most `limit`
 * tokens at a time.
 */
export async function claimTokenReminders(
  scope: SystemWriteScope,
  { unusedSince, limit }: { readonly unusedSince: Date; readonly limit: number },
): Promise<readonly TokenReminder[]> {
  const { now } = scope;
  const old = sql`(t.reminded_old_at is null
    and t.created_at <= ${now}::timestamptz - a.token_reminder_days * interval '1 day')`;
  const unused = sql`(t.reminded_unused_at is null and coalesce(t.last_used_at, t.created_at) <= ${unusedSince})`;
  const { rows } = await sql<TokenReminder>`
    with due as (
      select t.account_id, t.id, s.name as server_name, ${old} as old, ${unused} as unused
      from api_tokens t join accounts a on a.id = t.account_id
      left join servers s on s.account_id = t.account_id and s.id = t.server_id
      where t.revoked_at is null and t.replaced_by is null and (t.expires_at is null or t.expires_at > ${now})
        and s.deleted_at is null and (${old} or ${unused})
      order by t.account_id, t.id limit ${limit} for update of t skip locked)
    update api_tokens t set
      reminded_old_at = case when d.old then ${now} else t.reminded_old_at end,
      reminded_unused_at = case when d.unused then ${now} else t.reminded_unused_at end
    from due d where t.account_id = d.account_id and t.id = d.id
    returning t.account_id, t.id, t.name, t.hint, t.created_at, t.last_used_at, d.server_name, d.old, d.unused`.execute(
    scope.tx,
  );
  return rows;
}
