// What was told about recipients of messages by mail, each kind of news once, with its raw source for some weeks.
import { sql } from 'kysely';
import { array } from './arrays.ts';
import type { ReadScope, SystemScope, SystemWriteScope } from './scope.ts';

export interface NewReturnedMail {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly type: string;
  readonly bounceId: string;
  readonly removableAt: Date;
  readonly source: Buffer;
}

/** False: the same was told before. */
export async function insertReturnedMail(scope: SystemWriteScope, mail: NewReturnedMail): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('returnedMails')
    .values({ ...mail, receivedAt: scope.now })
    .onConflict((conflict) => conflict.columns(['accountId', 'messageId', 'ordinal', 'type']).doNothing())
    .returning('bounceId')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Raw sources by the ids of bounces that the scope has found. */
export async function findReturnedSources(
  scope: ReadScope,
  bounceIds: readonly string[],
): Promise<Map<string, Buffer>> {
  const rows = await scope.db
    .selectFrom('returnedMails')
    .select(['bounceId', 'source'])
    .where('accountId', '=', scope.accountId)
    .where('bounceId', '=', sql<string>`any(${array('uuid', bounceIds)})`)
    .execute();
  return new Map(rows.map(({ bounceId, source }) => [bounceId, source]));
}

/** How many were deleted, at most `limit`. */
export async function deleteRemovableMails(scope: SystemScope, now: Date, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from returned_mails where ctid = any(array(
      select ctid from returned_mails where removable_at <= ${now} limit ${limit} for update skip locked))`.execute(
    scope.db,
  );
  return Number(numAffectedRows ?? 0);
}
