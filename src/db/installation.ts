// What the installation has of its own, and what the operator's command line makes without being a member.
import { sql } from 'kysely';
import type { Database } from './client.ts';
import { emailKeyOf } from './users.ts';
import type { SystemScope, SystemWriteScope, WriteScope } from './scope.ts';

/** One bootstrap at a time, so that two of the same names make nothing twice. */
export async function lockInstallation(scope: SystemWriteScope): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('veredus.bootstrap'))`.execute(scope.tx);
}

export async function isEmptyInstallation(db: Database): Promise<boolean> {
  return (await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst()) === undefined;
}

export interface NamedAccount {
  readonly id: string;
  /** Null: it has no owner. */
  readonly ownerEmail: string | null;
  /** Whoever signs in with `email` is a member. */
  readonly member: boolean;
}

/** Names are not unique: that of which `email` is a member comes first, then one without an owner, then the oldest. */
export async function findAccountByName(
  scope: SystemWriteScope,
  name: string,
  email: string,
): Promise<NamedAccount | undefined> {
  const { rows } = await sql<NamedAccount>`
    select a.id, o.email as owner_email, exists (
      select from memberships m join users u on u.id = m.user_id
      where m.account_id = a.id and u.email_key = ${emailKeyOf(email)}) as member
    from accounts a
    left join memberships w on w.account_id = a.id and w.role = 'OWNER'
    left join users o on o.id = w.user_id
    where a.name = ${name} order by member desc, (o.id is null) desc, a.id limit 1`.execute(scope.tx);
  return rows[0];
}

export async function hasOwner(db: Database, accountId: string): Promise<boolean> {
  const owner = await db
    .selectFrom('memberships')
    .select('userId')
    .where('accountId', '=', accountId)
    .where('role', '=', 'OWNER')
    .executeTakeFirst();
  return owner !== undefined;
}

/** The account that waits, or waited, for its owner; null when there never was one. */
export async function findSetupAccount(db: Database): Promise<string | null> {
  const row = await db.selectFrom('installation').select('setupAccountId').executeTakeFirst();
  return row?.setupAccountId ?? null;
}

/** In place of the link before. */
export async function setSetupLink(scope: SystemWriteScope, accountId: string, hash: Buffer): Promise<void> {
  await scope.tx.updateTable('installation').set({ setupAccountId: accountId, setupHash: hash }).execute();
}

export async function findSetupByHash(db: Database, hash: Buffer): Promise<string | null> {
  const row = await db
    .selectFrom('installation')
    .select('setupAccountId')
    .where('setupHash', '=', hash)
    .executeTakeFirst();
  return row?.setupAccountId ?? null;
}

/** Uses the link up: of several at once, one gets the account. */
export async function takeSetup(scope: SystemWriteScope, hash: Buffer): Promise<string | null> {
  const row = await scope.tx
    .updateTable('installation')
    .set({ setupHash: null })
    .where('setupHash', '=', hash)
    .returning('setupAccountId')
    .executeTakeFirst();
  return row?.setupAccountId ?? null;
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
  const emailKey = emailKeyOf(user.email);
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

/**
 * The verified domains that the installation's own mail may be sent from, and who holds them: one holds a name, and the
 * operator, who sets VEREDUS_SYSTEM_FROM, speaks for all. None for any other account.
 */
export async function listSystemSenderDomains(
  db: Database,
  accountId: string,
): Promise<{ readonly name: string; readonly holderId: string }[]> {
  return db
    .selectFrom('installation as i')
    .innerJoin('domains as own', 'own.accountId', 'i.systemAccountId')
    .innerJoin('domains as held', 'held.name', 'own.name')
    .select(['held.name', 'held.accountId as holderId'])
    .where('i.systemAccountId', '=', accountId)
    .where('held.verifiedAt', 'is not', null)
    .execute();
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
