// What the operator's command line makes without being a member: accounts, their owners, domains on the operator's word.
import { sql } from 'kysely';
import type { Database } from './client.ts';
import type { SystemWriteScope, WriteScope } from './scope.ts';

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

/** False when another account holds the domain. */
export async function verifyDomainOnWord(scope: WriteScope, id: string, name: string): Promise<boolean> {
  const domain = await scope.tx
    .insertInto('domains')
    .values({
      accountId: scope.accountId,
      id,
      name,
      createdAt: scope.now,
      verifiedAt: scope.now,
      verifiedBy: 'OPERATOR',
    })
    .onConflict((conflict) =>
      conflict.columns(['accountId', 'name']).doUpdateSet({ verifiedAt: scope.now, verifiedBy: 'OPERATOR' }),
    )
    .returning('id')
    .executeTakeFirstOrThrow();
  await scope.tx
    .insertInto('verifiedDomains')
    .values({ name, accountId: scope.accountId, domainId: domain.id })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const holder = await scope.tx
    .selectFrom('verifiedDomains')
    .select('accountId')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return holder.accountId === scope.accountId;
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
