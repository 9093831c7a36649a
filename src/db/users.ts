// Identities: people, who belong to no account but may be members of many. Told apart by the address key, which ignores case.
import type { Selectable } from 'kysely';
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';
import type { UsersTable } from './tables.gen.ts';

export type UserRow = Selectable<UsersTable>;

/** One mailbox is one identity, however its owner writes it. */
export function emailKeyOf(email: string): string {
  return email.trim().toLowerCase();
}

export function findUserByEmail(db: Database, email: string): Promise<UserRow | undefined> {
  return db.selectFrom('users').selectAll().where('emailKey', '=', emailKeyOf(email)).executeTakeFirst();
}

export function findUser(db: Database, id: string): Promise<UserRow | undefined> {
  return db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
}

export function lockUser(scope: SystemWriteScope, id: string): Promise<UserRow | undefined> {
  return scope.tx.selectFrom('users').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

export function lockUserByEmail(scope: SystemWriteScope, email: string): Promise<UserRow | undefined> {
  return scope.tx
    .selectFrom('users')
    .selectAll()
    .where('emailKey', '=', emailKeyOf(email))
    .forUpdate()
    .executeTakeFirst();
}

/** False when there is an identity of this address already. */
export async function insertUser(scope: SystemWriteScope, user: UserRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('users')
    .values(user)
    .onConflict((conflict) => conflict.column('emailKey').doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export function updateUser(
  scope: SystemWriteScope,
  id: string,
  changes: Partial<Omit<UserRow, 'id' | 'createdAt'>>,
): Promise<UserRow | undefined> {
  return scope.tx.updateTable('users').set(changes).where('id', '=', id).returningAll().executeTakeFirst();
}
