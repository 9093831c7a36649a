// What the installation has of its own, and what the operator's command line makes without being a member.
import { sql } from 'kysely';
import type { Database } from './client.ts';
import type { SystemScope, SystemWriteScope, WriteScope } from './scope.ts';

/** One bootstrap at a time, so that two of the same names make nothing twice. */
export async function lockInstallation(scope: SystemWriteScope): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('veredus.bootstrap'))`.execute(scope.tx);
}

export async function isEmptyInstallation(db: Database): Promise<boolean> {
  return (await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst()) === undefined;
}

export function findAccountByName(scope: SystemWriteScope, name: string): Promise<{ id: string } | undefined> {
  return scope.tx.selectFrom('accounts').select('id').where('name', '=', name).orderBy('id').executeTakeFirst();
}

export async function insertAccount(
  scope: SystemWriteScope,
  account: { readonly id: string; readonly name: string },
): Promise<void> {
  await scope.tx
    .insertInto('accounts')
    .values({ ...account, createdAt: scope.now })
    .execute();
}

/** The identity of this address: there already, or made. */
export async function upsertUser(
  scope: SystemWriteScope,
  user: { readonly id: string; readonly email: string; readonly name: string; readonly passwordHash: string | null },
): Promise<string> {
  const emailKey = user.email.toLowerCase();
  await scope.tx
    .insertInto('users')
    .values({ ...user, emailKey, createdAt: scope.now })
    .onConflict((conflict) => conflict.column('emailKey').doNothing())
    .execute();
  return (await scope.tx.selectFrom('users').select('id').where('emailKey', '=', emailKey).executeTakeFirstOrThrow())
    .id;
}

/** The owner of the account: `userId` when there was none, else the one it has. */
export async function ensureOwner(scope: WriteScope, userId: string): Promise<string> {
  await scope.tx
    .insertInto('memberships')
    .values({ accountId: scope.accountId, userId, role: 'OWNER', createdAt: scope.now })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const owner = await scope.tx
    .selectFrom('memberships')
    .select('userId')
    .where('accountId', '=', scope.accountId)
    .where('role', '=', 'OWNER')
    .executeTakeFirstOrThrow();
  return owner.userId;
}

/** The account and server in whose name the installation itself sends; null until it first does. */
export async function findSystemServer(
  scope: SystemScope | SystemWriteScope,
): Promise<{ readonly accountId: string; readonly serverId: string } | null> {
  const db = 'db' in scope ? scope.db : scope.tx;
  const row = await db
    .selectFrom('installation')
    .select(['systemAccountId as accountId', 'systemServerId as serverId'])
    .executeTakeFirst();
  if (row === undefined || row.accountId === null || row.serverId === null) return null;
  return { accountId: row.accountId, serverId: row.serverId };
}

export async function setSystemServer(scope: SystemWriteScope, accountId: string, serverId: string): Promise<void> {
  await scope.tx.updateTable('installation').set({ systemAccountId: accountId, systemServerId: serverId }).execute();
}

/** The sealed secret of return paths: `made` when there was none. Never changes. */
export async function keepReturnPathSecret(scope: SystemScope, made: Buffer): Promise<Buffer> {
  const { rows } = await sql<{ kept: Buffer }>`
    update installation set return_path_secret_encrypted = coalesce(return_path_secret_encrypted, ${made})
    returning return_path_secret_encrypted as kept`.execute(scope.db);
  const kept = rows[0]?.kept;
  if (kept === undefined) throw new Error('the installation has no row');
  return kept;
}

export async function findReturnPathSecret(scope: SystemScope): Promise<Buffer | null> {
  const row = await scope.db.selectFrom('installation').select('returnPathSecretEncrypted').executeTakeFirst();
  return row?.returnPathSecretEncrypted ?? null;
}

/** Only if nobody changed it meanwhile. */
export async function resealReturnPathSecret(scope: SystemScope, old: Buffer, sealed: Buffer): Promise<void> {
  await scope.db
    .updateTable('installation')
    .set({ returnPathSecretEncrypted: sealed })
    .where('returnPathSecretEncrypted', '=', old)
    .execute();
}

export function findServerByName(
  scope: WriteScope,
  name: string,
): Promise<{ id: string; deliveryType: string } | undefined> {
  return scope.tx
    .selectFrom('servers')
    .select(['id', 'deliveryType'])
    .where('accountId', '=', scope.accountId)
    .where(sql<boolean>`lower(name) = lower(${name})`)
    .where('deletedAt', 'is', null)
    .executeTakeFirst();
}
