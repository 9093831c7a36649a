// Backup codes of people, each good for one use. Only their SHA-256 is stored: 80 random bits need no slow hash.
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';

export async function countUnusedBackupCodes(db: Database, userId: string): Promise<number> {
  const { count } = await db
    .selectFrom('backupCodes')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('userId', '=', userId)
    .where('usedAt', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

/** In place of all that there were. */
export async function replaceBackupCodes(
  scope: SystemWriteScope,
  userId: string,
  hashes: readonly Buffer[],
): Promise<void> {
  await deleteBackupCodes(scope, userId);
  await scope.tx
    .insertInto('backupCodes')
    .values(hashes.map((codeHash) => ({ userId, codeHash, usedAt: null })))
    .execute();
}

/** Uses the code up: of several tries at once, one gets it. False when it is none, or was used. */
export async function useBackupCode(scope: SystemWriteScope, userId: string, codeHash: Buffer): Promise<boolean> {
  const { numUpdatedRows } = await scope.tx
    .updateTable('backupCodes')
    .set({ usedAt: scope.now })
    .where('userId', '=', userId)
    .where('codeHash', '=', codeHash)
    .where('usedAt', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function deleteBackupCodes(scope: SystemWriteScope, userId: string): Promise<void> {
  await scope.tx.deleteFrom('backupCodes').where('userId', '=', userId).execute();
}
