// Accounts and the domains they may send from.
import type { Selectable } from 'kysely';
import type { ReadScope, SystemWriteScope, WriteScope } from './scope.ts';
import type { AccountsTable } from './tables.gen.ts';

export type AccountRow = Selectable<AccountsTable>;

export function findAccount(scope: ReadScope): Promise<AccountRow | undefined> {
  return scope.db.selectFrom('accounts').selectAll().where('id', '=', scope.accountId).executeTakeFirst();
}

/** Serialises what counts the account's things; whoever adds rows that point at the account does not wait. */
export function lockAccount(scope: WriteScope): Promise<AccountRow | undefined> {
  return scope.tx
    .selectFrom('accounts')
    .selectAll()
    .where('id', '=', scope.accountId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export function updateAccount(
  scope: WriteScope,
  changes: Partial<Pick<AccountRow, 'name' | 'twoFactorPolicy' | 'retentionDays'>>,
): Promise<AccountRow> {
  return scope.tx
    .updateTable('accounts')
    .set(changes)
    .where('id', '=', scope.accountId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * For staff of the installation, who name an account that they do not see. Never that of the installation's own mail: its
 * messages hold the links with which everybody else sets a password.
 */
export async function isOpenToStaff(scope: SystemWriteScope, id: string): Promise<boolean> {
  const account = await scope.tx
    .selectFrom('accounts as a')
    .select('a.id')
    .where('a.id', '=', id)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(selectFrom('installation as i').select('i.systemAccountId').whereRef('i.systemAccountId', '=', 'a.id')),
      ),
    )
    .executeTakeFirst();
  return account !== undefined;
}

/** Names (A-labels, lower case) of the domains this account has verified. */
export async function listVerifiedDomains(scope: ReadScope): Promise<string[]> {
  const rows = await scope.db
    .selectFrom('domains')
    .select('name')
    .where('accountId', '=', scope.accountId)
    .where('verifiedAt', 'is not', null)
    .execute();
  return rows.map(({ name }) => name);
}
