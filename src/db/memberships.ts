// Who is a member of what, and the servers that a member may see.
import { sql } from 'kysely';
import type { AccountRole, ServerLevel } from '#/domain/permissions.ts';
import { array } from './arrays.ts';
import { type ReadScope, withinServers, type WriteScope } from './scope.ts';

/** A membership with its person. */
export interface MemberRow {
  readonly accountId: string;
  readonly userId: string;
  readonly role: AccountRole;
  readonly joinedAt: Date;
  readonly email: string;
  readonly name: string;
  readonly secondFactor: boolean;
}

export interface GrantRow {
  readonly accountId: string;
  readonly userId: string;
  readonly serverId: string;
  readonly level: ServerLevel;
}

export interface MemberFilter {
  /** Only those who have, or have not, a second factor. */
  readonly twoFactor: boolean | null;
  /** User id, exclusive: the list is in their order. */
  readonly after: string | null;
  readonly limit: number;
}

/**
 * By user id, which is by the age of the identity. A scope that reaches only some servers sees the owner, the admins, and
 * who shares one of these servers with it.
 */
export function listMembers(scope: ReadScope, { twoFactor, after, limit }: MemberFilter): Promise<MemberRow[]> {
  let query = members(scope).orderBy('m.userId').limit(limit);
  if (after !== null) query = query.where('m.userId', '>', after);
  if (twoFactor !== null) query = query.where(hasSecondFactor, '=', twoFactor);
  return query.execute();
}

/** The members of these user ids that the scope sees. */
export function findMembers(scope: ReadScope, userIds: readonly string[]): Promise<MemberRow[]> {
  return members(scope)
    .where('m.userId', '=', sql<string>`any(${array('uuid', userIds)})`)
    .execute();
}

const hasSecondFactor = sql<boolean>`exists (select from two_factor_methods f where f.user_id = m.user_id)`;

function members({ db, accountId, servers }: ReadScope) {
  const query = db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.userId')
    .select(['m.accountId', 'm.userId', 'm.role', 'm.createdAt as joinedAt', 'u.email', 'u.name'])
    .select(hasSecondFactor.as('secondFactor'))
    .where('m.accountId', '=', accountId);
  if (servers === null) return query;
  return query.where(
    sql<boolean>`(m.role <> 'MEMBER' or exists (
      select from server_grants g where g.account_id = m.account_id and g.user_id = m.user_id
      and g.server_id = any(${array('uuid', servers)})))`,
  );
}

/** Of members that the scope has found; on servers that are there and that it reaches. */
export function listGrants(scope: ReadScope, userIds: readonly string[]): Promise<GrantRow[]> {
  let query = scope.db
    .selectFrom('serverGrants as g')
    .innerJoin('servers as s', (join) => join.onRef('s.accountId', '=', 'g.accountId').onRef('s.id', '=', 'g.serverId'))
    .selectAll('g')
    .where('g.accountId', '=', scope.accountId)
    .where('g.userId', '=', sql<string>`any(${array('uuid', userIds)})`)
    .where('s.deletedAt', 'is', null)
    .orderBy('g.serverId');
  const within = withinServers(scope, 'g.server_id');
  if (within !== null) query = query.where(within);
  return query.execute();
}

export interface MembershipRow {
  readonly accountId: string;
  readonly userId: string;
  readonly role: AccountRole;
  readonly createdAt: Date;
}

export function lockMembership(scope: WriteScope, userId: string): Promise<MembershipRow | undefined> {
  return scope.tx
    .selectFrom('memberships')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('userId', '=', userId)
    .forUpdate()
    .executeTakeFirst();
}

/** False when they are a member already. */
export async function insertMembership(scope: WriteScope, userId: string, role: AccountRole): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('memberships')
    .values({ accountId: scope.accountId, userId, role, createdAt: scope.now })
    .onConflict((conflict) => conflict.columns(['accountId', 'userId']).doNothing())
    .returning('userId')
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function setRole(scope: WriteScope, userId: string, role: AccountRole): Promise<void> {
  await scope.tx
    .updateTable('memberships')
    .set({ role })
    .where('accountId', '=', scope.accountId)
    .where('userId', '=', userId)
    .execute();
}

export async function deleteMembership(scope: WriteScope, userId: string): Promise<void> {
  await scope.tx
    .deleteFrom('memberships')
    .where('accountId', '=', scope.accountId)
    .where('userId', '=', userId)
    .execute();
}

/** In place of all that the member had. */
export async function replaceGrants(
  scope: WriteScope,
  userId: string,
  grants: readonly { readonly serverId: string; readonly level: ServerLevel }[],
): Promise<void> {
  const { accountId } = scope;
  await scope.tx.deleteFrom('serverGrants').where('accountId', '=', accountId).where('userId', '=', userId).execute();
  if (grants.length === 0) return;
  await scope.tx
    .insertInto('serverGrants')
    .values(grants.map(({ serverId, level }) => ({ accountId, userId, serverId, level })))
    .execute();
}

/** Owner and admins: who hears of what concerns the whole account. */
export async function listManagers(scope: ReadScope): Promise<{ userId: string; email: string; role: AccountRole }[]> {
  return scope.db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.userId')
    .select(['m.userId', 'u.email', 'm.role'])
    .where('m.accountId', '=', scope.accountId)
    .where('m.role', '<>', 'MEMBER')
    .orderBy('m.userId')
    .execute();
}
