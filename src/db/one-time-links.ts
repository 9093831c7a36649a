// Links that are mailed to people and good for one use: password resets, changes of address, sign-ups. Only the SHA-256 of
// a link's secret is stored.
import type { Selectable } from 'kysely';
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';
import type { OneTimeLinksTable } from './tables.gen.ts';

export type OneTimeLinkRow = Selectable<OneTimeLinksTable>;
export type LinkPurpose = OneTimeLinkRow['purpose'];

export async function insertLink(scope: SystemWriteScope, link: OneTimeLinkRow): Promise<void> {
  await scope.tx.insertInto('oneTimeLinks').values(link).execute();
}

/** Undefined when it was used, has expired, or is for something else. */
export function findLink(
  db: Database,
  purpose: LinkPurpose,
  secretHash: Buffer,
  now: Date,
): Promise<OneTimeLinkRow | undefined> {
  return db
    .selectFrom('oneTimeLinks')
    .selectAll()
    .where('secretHash', '=', secretHash)
    .where('purpose', '=', purpose)
    .where('expiresAt', '>', now)
    .executeTakeFirst();
}

/** Uses the link up: of several at once, one gets it. */
export function takeLink(
  scope: SystemWriteScope,
  purpose: LinkPurpose,
  secretHash: Buffer,
): Promise<OneTimeLinkRow | undefined> {
  return scope.tx
    .deleteFrom('oneTimeLinks')
    .where('secretHash', '=', secretHash)
    .where('purpose', '=', purpose)
    .where('expiresAt', '>', scope.now)
    .returningAll()
    .executeTakeFirst();
}

/** All open links of an identity, or those for one purpose. */
export async function deleteLinks(scope: SystemWriteScope, userId: string, purpose?: LinkPurpose): Promise<void> {
  let query = scope.tx.deleteFrom('oneTimeLinks').where('userId', '=', userId);
  if (purpose !== undefined) query = query.where('purpose', '=', purpose);
  await query.execute();
}

export async function deleteExpiredLinks(db: Database, now: Date): Promise<void> {
  await db.deleteFrom('oneTimeLinks').where('expiresAt', '<', now).execute();
}
