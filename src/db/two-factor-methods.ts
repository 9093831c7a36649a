// Second factors of people: authenticator apps and passkeys, and the backup codes beside them.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';
import type { TwoFactorMethodsTable } from './tables.gen.ts';

export type TwoFactorMethodRow = Selectable<TwoFactorMethodsTable>;

/** Of these users, oldest first. */
export function listTwoFactorMethods(db: Database, userIds: readonly string[]): Promise<TwoFactorMethodRow[]> {
  return db
    .selectFrom('twoFactorMethods')
    .selectAll()
    .where('userId', '=', sql<string>`any(${array('uuid', userIds)})`)
    .orderBy('userId')
    .orderBy('id')
    .execute();
}

/** Locked until the transaction ends: of two uses of one code at once, the second sees what the first has taken. */
export function lockTwoFactorMethods(scope: SystemWriteScope, userId: string): Promise<TwoFactorMethodRow[]> {
  return scope.tx
    .selectFrom('twoFactorMethods')
    .selectAll()
    .where('userId', '=', userId)
    .orderBy('id')
    .forUpdate()
    .execute();
}

export async function countUnusedBackupCodes(db: Database, userId: string): Promise<number> {
  const { count } = await db
    .selectFrom('backupCodes')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('userId', '=', userId)
    .where('usedAt', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

export async function hasTwoFactorMethod(scope: SystemWriteScope, userId: string): Promise<boolean> {
  const method = await scope.tx
    .selectFrom('twoFactorMethods')
    .select('id')
    .where('userId', '=', userId)
    .limit(1)
    .executeTakeFirst();
  return method !== undefined;
}
