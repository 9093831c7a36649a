// Single addresses that an account may send from, confirmed by whoever reads their mail.
import type { Selectable } from 'kysely';
import type { Database } from './client.ts';
import type { ReadScope, WriteScope } from './scope.ts';
import type { SenderSignaturesTable } from './tables.gen.ts';

export type SignatureRow = Selectable<SenderSignaturesTable>;

export function findSignatures(scope: ReadScope, ids: readonly string[]): Promise<SignatureRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return scope.db
    .selectFrom('senderSignatures')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', 'in', [...ids])
    .execute();
}

/** By id, which is by age. */
export function listSignatures(scope: ReadScope, after: string | null, limit: number): Promise<SignatureRow[]> {
  let query = scope.db
    .selectFrom('senderSignatures')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .orderBy('id')
    .limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return query.execute();
}

export type ConfirmedSignature = Pick<SignatureRow, 'addressKey' | 'name' | 'replyTo'>;

export function listConfirmedSignatures(scope: ReadScope): Promise<ConfirmedSignature[]> {
  return scope.db
    .selectFrom('senderSignatures')
    .select(['addressKey', 'name', 'replyTo'])
    .where('accountId', '=', scope.accountId)
    .where('confirmedAt', 'is not', null)
    .execute();
}

export function countSignatures(scope: ReadScope): Promise<{ readonly all: number; readonly unconfirmed: number }> {
  return scope.db
    .selectFrom('senderSignatures')
    .select(({ fn }) => [
      fn.countAll<number>().as('all'),
      fn.countAll<number>().filterWhere('confirmedAt', 'is', null).as('unconfirmed'),
    ])
    .where('accountId', '=', scope.accountId)
    .executeTakeFirstOrThrow();
}

/** False when the account has this address. */
export async function insertSignature(scope: WriteScope, signature: SignatureRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('senderSignatures')
    .values(signature)
    .onConflict((conflict) => conflict.columns(['accountId', 'addressKey']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export function lockSignature(scope: WriteScope, id: string): Promise<SignatureRow | undefined> {
  return scope.tx
    .selectFrom('senderSignatures')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

export function updateSignature(
  scope: WriteScope,
  id: string,
  changes: Partial<
    Pick<SignatureRow, 'confirmedAt' | 'confirmationHash' | 'confirmationExpiresAt' | 'confirmationSentAt'>
  >,
): Promise<SignatureRow> {
  return scope.tx
    .updateTable('senderSignatures')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function deleteSignature(scope: WriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('senderSignatures').where('accountId', '=', scope.accountId).where('id', '=', id).execute();
}

/** Before the account is known: the one look-up by the secret of a mailed link. */
export function findSignatureBySecret(db: Database, hash: Buffer, now: Date): Promise<SignatureRow | undefined> {
  return db
    .selectFrom('senderSignatures')
    .selectAll()
    .where('confirmationHash', '=', hash)
    .where('confirmationExpiresAt', '>', now)
    .where('confirmedAt', 'is', null)
    .executeTakeFirst();
}
