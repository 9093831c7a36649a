// Second factors of people: authenticator apps and passkeys.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
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

export async function hasTwoFactorMethod(scope: SystemWriteScope, userId: string): Promise<boolean> {
  const method = await scope.tx
    .selectFrom('twoFactorMethods')
    .select('id')
    .where('userId', '=', userId)
    .limit(1)
    .executeTakeFirst();
  return method !== undefined;
}

/** False when the credential is known already, whoever has it. */
export async function insertTwoFactorMethod(scope: SystemWriteScope, method: TwoFactorMethodRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('twoFactorMethods')
    .values(method)
    .onConflict((conflict) => conflict.column('credentialId').doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** It was shown: `usedStep` and `signCount` only grow, so that nothing is taken twice. */
export async function recordFactorUse(
  scope: SystemWriteScope,
  { userId, id }: Pick<TwoFactorMethodRow, 'userId' | 'id'>,
  changes: Partial<Pick<TwoFactorMethodRow, 'usedStep' | 'signCount'>>,
): Promise<void> {
  await scope.tx
    .updateTable('twoFactorMethods')
    .set({ ...changes, lastUsedAt: scope.now })
    .where('userId', '=', userId)
    .where('id', '=', id)
    .execute();
}

export async function deleteTwoFactorMethod(scope: SystemWriteScope, userId: string, id: string): Promise<void> {
  await scope.tx.deleteFrom('twoFactorMethods').where('userId', '=', userId).where('id', '=', id).execute();
}

/** An account that they are a member of demands a second factor. */
export async function isTwoFactorDemanded(scope: SystemWriteScope, userId: string): Promise<boolean> {
  const demanding = await scope.tx
    .selectFrom('memberships as m')
    .innerJoin('accounts as a', 'a.id', 'm.accountId')
    .select('a.id')
    .where('m.userId', '=', userId)
    .where('a.twoFactorPolicy', '=', 'REQUIRED')
    .limit(1)
    .executeTakeFirst();
  return demanding !== undefined;
}

export interface SealedFactor {
  readonly userId: string;
  readonly id: string;
  readonly secretEncrypted: Buffer;
}

/** After this method, of all users. */
export async function listSealedFactors(
  { db }: SystemScope,
  after: Pick<SealedFactor, 'userId' | 'id'> | null,
  limit: number,
): Promise<SealedFactor[]> {
  let query = db
    .selectFrom('twoFactorMethods')
    .select(['userId', 'id', 'secretEncrypted'])
    .$narrowType<{ secretEncrypted: Buffer }>()
    .where('secretEncrypted', 'is not', null)
    .orderBy('userId')
    .orderBy('id')
    .limit(limit);
  if (after !== null) {
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('userId', 'id'), '>', tuple(after.userId, after.id)));
  }
  return query.execute();
}

/** Unless it was changed meanwhile. */
export async function resealFactor({ db }: SystemScope, factor: SealedFactor, sealed: Buffer): Promise<void> {
  await db
    .updateTable('twoFactorMethods')
    .set({ secretEncrypted: sealed })
    .where('userId', '=', factor.userId)
    .where('id', '=', factor.id)
    .where('secretEncrypted', '=', factor.secretEncrypted)
    .execute();
}
