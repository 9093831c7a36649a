// Sessions of people, with everything that decides what they may do: one statement for each request, so that a changed
// grant, role or policy holds from the next request on.
import { sql, type Selectable } from 'kysely';
import type { AccountRole, ServerLevel } from '#/domain/permissions.ts';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { SystemWriteScope } from './scope.ts';
import type { SessionsTable } from './tables.gen.ts';

export type SessionRow = Selectable<SessionsTable>;

/** A session with the rights of its user. Dates inside `memberships` are texts: they come as JSON. */
export interface SessionFacts extends SessionRow {
  readonly email: string;
  readonly name: string;
  readonly staff: boolean;
  readonly secondFactor: boolean;
  readonly memberships: readonly {
    readonly accountId: string;
    readonly role: AccountRole;
    readonly joinedAt: string;
    readonly twoFactorRequired: boolean;
    readonly grants: readonly { readonly serverId: string; readonly level: ServerLevel }[];
  }[];
  /** Accounts that let this member of the staff look, now. */
  readonly staffAccess: readonly { readonly accountId: string; readonly complianceReview: boolean }[];
}

const facts = (now: Date) => sql`
  select s.*, u.email, u.name, u.staff,
    exists (select from two_factor_methods f where f.user_id = u.id) as second_factor,
    coalesce((
      select json_agg(json_build_object(
        'accountId', m.account_id, 'role', m.role, 'joinedAt', m.created_at,
        'twoFactorRequired', a.two_factor_policy = 'REQUIRED',
        'grants', coalesce((
          select json_agg(json_build_object('serverId', g.server_id, 'level', g.level) order by g.server_id)
          from server_grants g join servers v on v.account_id = g.account_id and v.id = g.server_id
          where g.account_id = m.account_id and g.user_id = m.user_id and v.deleted_at is null), '[]')
        ) order by m.account_id)
      from memberships m join accounts a on a.id = m.account_id where m.user_id = u.id), '[]') as memberships,
    coalesce((
      select json_agg(json_build_object('accountId', account_id, 'complianceReview', review) order by account_id)
      from (select account_id, bool_or(compliance_review) as review from staff_access_grants
            where u.staff and user_id = u.id and granted and revoked_at is null and expires_at > ${now}
            group by account_id) as open_grants), '[]') as staff_access
  from sessions s join users u on u.id = s.user_id
  where u.disabled_at is null`;

/** The session of this secret, whether or not its time is over. */
export async function findSessionBySecret(
  db: Database,
  secretHash: Buffer,
  now: Date,
): Promise<SessionFacts | undefined> {
  const { rows } = await sql<SessionFacts>`${facts(now)} and s.secret_hash = ${secretHash}`.execute(db);
  return rows[0];
}

export async function findSessionFacts(db: Database, ids: readonly string[], now: Date): Promise<SessionFacts[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<SessionFacts>`${facts(now)} and s.id = any(${array('uuid', ids)})`.execute(db);
  return rows;
}

/** Never moves the time back. */
export async function touchSession(db: Database, id: string, now: Date): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ lastSeenAt: now })
    .where('id', '=', id)
    .where('lastSeenAt', '<', now)
    .execute();
}

export async function insertSession(scope: SystemWriteScope, session: SessionRow): Promise<void> {
  await scope.tx.insertInto('sessions').values(session).execute();
}

/** Of the user's own; newest first. */
export function listSessions(db: Database, userId: string, now: Date, idleSince: Date): Promise<SessionRow[]> {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('userId', '=', userId)
    .where('secondFactorPending', '=', false)
    .where('expiresAt', '>', now)
    .where('lastSeenAt', '>', idleSince)
    .orderBy('id', 'desc')
    .execute();
}

export function updateSession(
  scope: SystemWriteScope,
  id: string,
  changes: Partial<Pick<SessionRow, 'secretHash' | 'secondFactorPending' | 'provedAt' | 'expiresAt' | 'lastSeenAt'>>,
): Promise<SessionRow | undefined> {
  return scope.tx.updateTable('sessions').set(changes).where('id', '=', id).returningAll().executeTakeFirst();
}

/** Undefined when the user has no such session. */
export function deleteSession(scope: SystemWriteScope, userId: string, id: string): Promise<SessionRow | undefined> {
  return scope.tx
    .deleteFrom('sessions')
    .where('userId', '=', userId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** All of the user's, but for `keep`. */
export async function deleteSessions(scope: SystemWriteScope, userId: string, keep: string | null): Promise<number> {
  let query = scope.tx.deleteFrom('sessions').where('userId', '=', userId);
  if (keep !== null) query = query.where('id', '<>', keep);
  const { numDeletedRows } = await query.executeTakeFirst();
  return Number(numDeletedRows);
}

/** All but the newest `keep` of the user. */
export async function trimSessions(scope: SystemWriteScope, userId: string, keep: number): Promise<void> {
  await sql`
    delete from sessions where user_id = ${userId}::uuid and id in (
      select id from sessions where user_id = ${userId}::uuid order by id desc offset ${keep})`.execute(scope.tx);
}

/** Sessions whose time is over, and what hangs on them. */
export async function deleteEndedSessions(db: Database, before: Date, idleBefore: Date): Promise<void> {
  await db
    .deleteFrom('sessions')
    .where(({ or, eb }) => or([eb('expiresAt', '<', before), eb('lastSeenAt', '<', idleBefore)]))
    .execute();
}
