// Invitations that are open: each is bound to an address and used once. Only the SHA-256 of its secret is stored.
import { type Selectable, sql } from 'kysely';
import type { ServerLevel } from '#/domain/permissions.ts';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { ReadScope, SystemWriteScope, WriteScope } from './scope.ts';
import type { InvitationsTable } from './tables.gen.ts';

export type InvitationRow = Selectable<InvitationsTable>;

export interface ServerGrant {
  readonly serverId: string;
  readonly level: ServerLevel;
}

export interface InvitationGrant extends ServerGrant {
  readonly accountId: string;
  readonly invitationId: string;
}

export function findInvitations(scope: ReadScope, ids: readonly string[], now: Date): Promise<InvitationRow[]> {
  return open(scope, now)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** Oldest first. There are at most MAX_INVITATIONS. */
export function listInvitations(scope: ReadScope, now: Date): Promise<InvitationRow[]> {
  return open(scope, now).orderBy('id').execute();
}

function open({ db, accountId }: ReadScope, now: Date) {
  return db.selectFrom('invitations').selectAll().where('accountId', '=', accountId).where('expiresAt', '>', now);
}

/** On servers that are there. */
export function listInvitationGrants(scope: ReadScope, invitationIds: readonly string[]): Promise<InvitationGrant[]> {
  return scope.db
    .selectFrom('invitationGrants as g')
    .innerJoin('servers as s', (join) => join.onRef('s.accountId', '=', 'g.accountId').onRef('s.id', '=', 'g.serverId'))
    .selectAll('g')
    .where('g.accountId', '=', scope.accountId)
    .where('g.invitationId', '=', sql<string>`any(${array('uuid', invitationIds)})`)
    .where('s.deletedAt', 'is', null)
    .orderBy('g.serverId')
    .execute();
}

/** Those of these addresses (keys) that wait for an answer; ones that have expired make room. */
export async function listInvited(scope: WriteScope, emailKeys: readonly string[]): Promise<string[]> {
  const { tx, accountId, now } = scope;
  await tx.deleteFrom('invitations').where('accountId', '=', accountId).where('expiresAt', '<=', now).execute();
  const rows = await tx
    .selectFrom('invitations')
    .select('emailKey')
    .where('accountId', '=', accountId)
    .where('emailKey', '=', sql<string>`any(${array('text', emailKeys)})`)
    .execute();
  return rows.map(({ emailKey }) => emailKey);
}

export async function countInvitations(scope: WriteScope): Promise<number> {
  const { count } = await scope.tx
    .selectFrom('invitations')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('accountId', '=', scope.accountId)
    .executeTakeFirstOrThrow();
  return count;
}

export async function insertInvitations(
  scope: WriteScope,
  invitations: readonly InvitationRow[],
  grants: readonly ServerGrant[],
): Promise<void> {
  await scope.tx
    .insertInto('invitations')
    .values([...invitations])
    .execute();
  const rows = invitations.flatMap(({ accountId, id }) =>
    grants.map(({ serverId, level }) => ({ accountId, invitationId: id, serverId, level })),
  );
  if (rows.length > 0) await scope.tx.insertInto('invitationGrants').values(rows).execute();
}

export function lockInvitation(scope: WriteScope, id: string): Promise<InvitationRow | undefined> {
  return scope.tx
    .selectFrom('invitations')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .where('expiresAt', '>', scope.now)
    .forUpdate()
    .executeTakeFirst();
}

export function updateInvitation(
  scope: WriteScope,
  id: string,
  changes: Pick<InvitationRow, 'secretHash' | 'sentAt' | 'expiresAt'>,
): Promise<InvitationRow> {
  return scope.tx
    .updateTable('invitations')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function deleteInvitation(scope: WriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('invitations').where('accountId', '=', scope.accountId).where('id', '=', id).execute();
}

/** All open ones that somebody has sent; answers their ids. */
export async function deleteInvitationsBy(scope: WriteScope, userId: string): Promise<string[]> {
  const rows = await scope.tx
    .deleteFrom('invitations')
    .where('accountId', '=', scope.accountId)
    .where('invitedBy', '=', userId)
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Before the account is known: the one look-up by the secret of a mailed link. */
export function findInvitationBySecret(
  db: Database,
  hash: Buffer,
  now: Date,
): Promise<(InvitationRow & { accountName: string }) | undefined> {
  return db
    .selectFrom('invitations as i')
    .innerJoin('accounts as a', 'a.id', 'i.accountId')
    .selectAll('i')
    .select('a.name as accountName')
    .where('i.secretHash', '=', hash)
    .where('i.expiresAt', '>', now)
    .executeTakeFirst();
}

/** The same, locked: of several who use the link at once, one finds it. */
export function lockInvitationBySecret(scope: SystemWriteScope, hash: Buffer): Promise<InvitationRow | undefined> {
  return scope.tx
    .selectFrom('invitations')
    .selectAll()
    .where('secretHash', '=', hash)
    .where('expiresAt', '>', scope.now)
    .forUpdate()
    .executeTakeFirst();
}
