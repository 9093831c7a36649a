// Addresses that are mailed with the owner when something is wrong with an account. They belong to no user.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { Database } from './client.ts';
import type { ReadScope, WriteScope } from './scope.ts';
import type { EmergencyContactsTable } from './tables.gen.ts';

export type ContactRow = Selectable<EmergencyContactsTable>;

export function findContacts(scope: ReadScope, ids: readonly string[]): Promise<ContactRow[]> {
  return contacts(scope)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** Oldest first. There are at most MAX_EMERGENCY_CONTACTS. */
export function listContacts(scope: ReadScope): Promise<ContactRow[]> {
  return contacts(scope).orderBy('id').execute();
}

function contacts({ db, accountId }: ReadScope) {
  return db.selectFrom('emergencyContacts').selectAll().where('accountId', '=', accountId);
}

/** False when the account has this address. */
export async function insertContact(scope: WriteScope, contact: ContactRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('emergencyContacts')
    .values(contact)
    .onConflict((conflict) => conflict.columns(['accountId', 'emailKey']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export function lockContact(scope: WriteScope, id: string): Promise<ContactRow | undefined> {
  return scope.tx
    .selectFrom('emergencyContacts')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

export function updateContact(
  scope: WriteScope,
  id: string,
  changes: Partial<
    Pick<ContactRow, 'confirmedAt' | 'confirmationHash' | 'confirmationExpiresAt' | 'confirmationSentAt'>
  >,
): Promise<ContactRow> {
  return scope.tx
    .updateTable('emergencyContacts')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function deleteContact(scope: WriteScope, id: string): Promise<void> {
  await scope.tx
    .deleteFrom('emergencyContacts')
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .execute();
}

/** Before the account is known: the one look-up by the secret of a mailed link. */
export function findContactBySecret(
  db: Database,
  hash: Buffer,
  now: Date,
): Promise<(ContactRow & { readonly accountName: string }) | undefined> {
  return db
    .selectFrom('emergencyContacts as c')
    .innerJoin('accounts as a', 'a.id', 'c.accountId')
    .selectAll('c')
    .select('a.name as accountName')
    .where('c.confirmationHash', '=', hash)
    .where('c.confirmationExpiresAt', '>', now)
    .where('c.confirmedAt', 'is', null)
    .executeTakeFirst();
}

/** The owner and every confirmed contact; an address that is both stands there once. */
export async function listEmergencyAddresses(db: Database, accountId: string): Promise<string[]> {
  const { rows } = await sql<{ email: string }>`
    select email from (
      select distinct on (email_key) email, email_key, place from (
        select u.email, u.email_key, 0 as place from memberships m join users u on u.id = m.user_id
        where m.account_id = ${accountId}::uuid and m.role = 'OWNER'
        union all
        select email, email_key, 1 from emergency_contacts
        where account_id = ${accountId}::uuid and confirmed_at is not null) as everybody
      order by email_key, place) as each_once
    order by place, email_key`.execute(db);
  return rows.map(({ email }) => email);
}
