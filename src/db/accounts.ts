// Accounts and the domains they may send from.
import type { Selectable } from 'kysely';
import type { ReadScope } from './scope.ts';
import type { AccountsTable } from './tables.gen.ts';

export type AccountRow = Selectable<AccountsTable>;

export function findAccount(scope: ReadScope): Promise<AccountRow | undefined> {
  return scope.db.selectFrom('accounts').selectAll().where('id', '=', scope.accountId).executeTakeFirst();
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
