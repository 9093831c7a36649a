// Devices that signed in as somebody before.
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';

export async function isKnownDevice(db: Database, userId: string, secretHash: Buffer): Promise<boolean> {
  const found = await db
    .selectFrom('knownDevices')
    .select('userId')
    .where('userId', '=', userId)
    .where('secretHash', '=', secretHash)
    .executeTakeFirst();
  return found !== undefined;
}

export async function hasKnownDevices(scope: SystemWriteScope, userId: string): Promise<boolean> {
  const found = await scope.tx
    .selectFrom('knownDevices')
    .select('userId')
    .where('userId', '=', userId)
    .executeTakeFirst();
  return found !== undefined;
}

/** True when it was not known. */
export async function rememberDevice(scope: SystemWriteScope, userId: string, secretHash: Buffer): Promise<boolean> {
  const { numUpdatedRows } = await scope.tx
    .updateTable('knownDevices')
    .set({ lastSeenAt: scope.now })
    .where('userId', '=', userId)
    .where('secretHash', '=', secretHash)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return false;
  await scope.tx
    .insertInto('knownDevices')
    .values({ userId, secretHash, createdAt: scope.now, lastSeenAt: scope.now })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return true;
}

export async function forgetDevices(scope: SystemWriteScope, userId: string): Promise<void> {
  await scope.tx.deleteFrom('knownDevices').where('userId', '=', userId).execute();
}

export async function forgetOldDevices(db: Database, before: Date): Promise<void> {
  await db.deleteFrom('knownDevices').where('lastSeenAt', '<', before).execute();
}
