// Domains of accounts, the one claim that an account holds on a name, and which servers may use them.
import { type Selectable, sql } from 'kysely';
import type { Database } from './client.ts';
import type { ReadScope, SystemScope, WriteScope } from './scope.ts';
import type { DomainsTable } from './tables.gen.ts';

export type DomainRow = Selectable<DomainsTable>;

export function findDomains(scope: ReadScope, ids: readonly string[]): Promise<DomainRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return scope.db
    .selectFrom('domains')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', 'in', [...ids])
    .execute();
}

export async function findDomain(scope: ReadScope, id: string): Promise<DomainRow | undefined> {
  return (await findDomains(scope, [id]))[0];
}

/** By id, which is by age. */
export function listDomains(scope: ReadScope, after: string | null, limit: number): Promise<DomainRow[]> {
  let query = scope.db
    .selectFrom('domains')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .orderBy('id')
    .limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return query.execute();
}

export async function countDomains(scope: ReadScope): Promise<number> {
  const { count } = await scope.db
    .selectFrom('domains')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('accountId', '=', scope.accountId)
    .executeTakeFirstOrThrow();
  return count;
}

/** False when the account has it. */
export async function insertDomain(scope: WriteScope, domain: DomainRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('domains')
    .values(domain)
    .onConflict((conflict) => conflict.columns(['accountId', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Serialises what changes the keys, records and state of a domain. */
export function lockDomain(scope: WriteScope, id: string): Promise<DomainRow | undefined> {
  return scope.tx
    .selectFrom('domains')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

export function findDomainByName(scope: WriteScope, name: string): Promise<DomainRow | undefined> {
  return scope.tx
    .selectFrom('domains')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('name', '=', name)
    .forUpdate()
    .executeTakeFirst();
}

export function updateDomain(
  scope: WriteScope,
  id: string,
  changes: Partial<Pick<DomainRow, 'verifiedAt' | 'verifiedBy' | 'nextCheckAt' | 'lostSince' | 'warnedAt'>>,
): Promise<DomainRow> {
  return scope.tx
    .updateTable('domains')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** With its keys, records and uses. */
export async function deleteDomain(scope: WriteScope, domain: DomainRow): Promise<void> {
  await releaseDomainName(scope, domain);
  await scope.tx.deleteFrom('domains').where('accountId', '=', scope.accountId).where('id', '=', domain.id).execute();
}

/** For the installation's own account, of which nobody is a member. */
export async function hasDomain(db: Database, accountId: string, name: string): Promise<boolean> {
  const row = await db
    .selectFrom('domains')
    .select('id')
    .where('accountId', '=', accountId)
    .where('name', '=', name)
    .executeTakeFirst();
  return row !== undefined;
}

/** At most one account holds a name as verified. False when another one does. Waits for one that is about to. */
export async function claimDomainName(scope: WriteScope, { id, name }: DomainRow): Promise<boolean> {
  await scope.tx
    .insertInto('verifiedDomains')
    .values({ name, accountId: scope.accountId, domainId: id })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const holder = await scope.tx
    .selectFrom('verifiedDomains')
    .select('accountId')
    .where('name', '=', name)
    .executeTakeFirst();
  return holder?.accountId === scope.accountId;
}

export async function releaseDomainName(scope: WriteScope, { id, name }: DomainRow): Promise<void> {
  await scope.tx
    .deleteFrom('verifiedDomains')
    .where('name', '=', name)
    .where('accountId', '=', scope.accountId)
    .where('domainId', '=', id)
    .execute();
}

export function listServerDomains(
  scope: ReadScope,
  serverIds: readonly string[],
): Promise<(DomainRow & { readonly serverId: string })[]> {
  if (serverIds.length === 0) return Promise.resolve([]);
  return scope.db
    .selectFrom('serverDomains as s')
    .innerJoin('domains as d', (join) => join.onRef('d.accountId', '=', 's.accountId').onRef('d.id', '=', 's.domainId'))
    .selectAll('d')
    .select('s.serverId')
    .where('s.accountId', '=', scope.accountId)
    .where('s.serverId', 'in', [...serverIds])
    .orderBy('d.id')
    .execute();
}

/** Null: all of the account's, also those to come. */
export async function setServerDomains(
  scope: WriteScope,
  serverId: string,
  domainIds: readonly string[] | null,
): Promise<void> {
  const { accountId, tx } = scope;
  await tx.deleteFrom('serverDomains').where('accountId', '=', accountId).where('serverId', '=', serverId).execute();
  for (const domainId of domainIds ?? []) {
    await tx.insertInto('serverDomains').values({ accountId, serverId, domainId }).execute();
  }
}

export interface DueDomain {
  readonly accountId: string;
  readonly id: string;
}

/** Takes domains whose check is due, and puts them off until `until`: another node sees them again only if this one dies. */
export async function claimDueDomains(
  scope: SystemScope,
  now: Date,
  until: Date,
  limit: number,
): Promise<readonly DueDomain[]> {
  const { rows } = await sql<DueDomain>`
    update domains d set next_check_at = ${until}
    from (select account_id, id from domains where next_check_at <= ${now}
          order by next_check_at limit ${limit} for update skip locked) as due
    where d.account_id = due.account_id and d.id = due.id
    returning d.account_id as "accountId", d.id`.execute(scope.db);
  return rows;
}

/** Addresses of those who are told when something is wrong with the account. */
export async function listOwnerAddresses(db: Database, accountId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.id', 'm.userId')
    .select('u.email')
    .where('m.accountId', '=', accountId)
    .where('m.role', '=', 'OWNER')
    .execute();
  return rows.map(({ email }) => email);
}
