// What staff of the installation have asked of accounts, and what they were given.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { ReadScope, SystemWriteScope, WriteScope } from './scope.ts';
import type { StaffAccessGrantsTable } from './tables.gen.ts';

export type StaffAccessRow = Selectable<StaffAccessGrantsTable>;

/** With the address of who it is for. */
export interface NamedStaffAccess extends StaffAccessRow {
  readonly email: string;
}

/** Of an account; the history grows by hand, and the newest are asked for. */
const SHOWN = 200;

export function findStaffAccess(scope: ReadScope, ids: readonly string[]): Promise<NamedStaffAccess[]> {
  return grants(scope)
    .where('g.id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** Newest first. */
export function listStaffAccess(scope: ReadScope): Promise<NamedStaffAccess[]> {
  return grants(scope).orderBy('g.id', 'desc').limit(SHOWN).execute();
}

function grants({ db, accountId }: ReadScope) {
  return db
    .selectFrom('staffAccessGrants as g')
    .innerJoin('users as u', 'u.id', 'g.userId')
    .selectAll('g')
    .select('u.email')
    .where('g.accountId', '=', accountId);
}

/** Of this member of the staff, that nobody has answered yet. */
export function listUnanswered(scope: WriteScope, userId: string): Promise<StaffAccessRow[]> {
  return scope.tx
    .selectFrom('staffAccessGrants')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('userId', '=', userId)
    .where('answeredAt', 'is', null)
    .where('revokedAt', 'is', null)
    .where('complianceReview', '=', false)
    .execute();
}

export async function insertStaffAccess(scope: WriteScope, grant: StaffAccessRow): Promise<void> {
  await scope.tx.insertInto('staffAccessGrants').values(grant).execute();
}

export function lockStaffAccess(scope: WriteScope, id: string): Promise<NamedStaffAccess | undefined> {
  return scope.tx
    .selectFrom('staffAccessGrants as g')
    .innerJoin('users as u', 'u.id', 'g.userId')
    .selectAll('g')
    .select('u.email')
    .where('g.accountId', '=', scope.accountId)
    .where('g.id', '=', id)
    .forUpdate('g')
    .executeTakeFirst();
}

export async function updateStaffAccess(
  scope: WriteScope,
  id: string,
  changes: Partial<Pick<StaffAccessRow, 'answeredAt' | 'granted' | 'expiresAt' | 'revokedAt'>>,
): Promise<void> {
  await scope.tx
    .updateTable('staffAccessGrants')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .execute();
}

/** Of this member of the staff, in whatever account. */
export function lockOwnStaffAccess(
  scope: SystemWriteScope,
  userId: string,
  id: string,
): Promise<NamedStaffAccess | undefined> {
  return scope.tx
    .selectFrom('staffAccessGrants as g')
    .innerJoin('users as u', 'u.id', 'g.userId')
    .selectAll('g')
    .select('u.email')
    .where('g.userId', '=', userId)
    .where('g.id', '=', id)
    .forUpdate('g')
    .executeTakeFirst();
}

/** Everything of a member of the staff that is in force or waits, in any account; answers what was ended. */
export function revokeAllStaffAccess(scope: SystemWriteScope, userId: string): Promise<StaffAccessRow[]> {
  return scope.tx
    .updateTable('staffAccessGrants')
    .set({ revokedAt: scope.now })
    .where('userId', '=', userId)
    .where('revokedAt', 'is', null)
    .where(({ or, eb }) => or([eb('answeredAt', 'is', null), eb('expiresAt', '>', scope.now)]))
    .returningAll()
    .execute();
}

export interface StaffMember {
  readonly id: string;
  readonly email: string;
  readonly secondFactor: boolean;
}

export function listStaff(db: Database): Promise<StaffMember[]> {
  return db
    .selectFrom('users as u')
    .select(['u.id', 'u.email'])
    .select(sql<boolean>`exists (select from two_factor_methods f where f.user_id = u.id)`.as('secondFactor'))
    .where('u.staff', '=', true)
    .orderBy('u.emailKey')
    .execute();
}
