// DKIM keys in their three states: PENDING until seen in DNS, CURRENT while they sign, RETIRED until their record may go.
import { type Selectable, sql } from 'kysely';
import type { Database } from './client.ts';
import type { ReadScope, SystemScope, WriteScope } from './scope.ts';
import type { DkimKeysTable } from './tables.gen.ts';

export type DkimKeyRow = Selectable<DkimKeysTable>;
/** Without the private half. */
export type PublicDkimKey = Omit<DkimKeyRow, 'privateKeyEncrypted'>;

const publicColumns = [
  'accountId',
  'id',
  'domainId',
  'algorithm',
  'selector',
  'state',
  'publicRecord',
  'createdAt',
  'seenAt',
  'activatedAt',
  'retiredAt',
  'removableAt',
] as const satisfies readonly (keyof PublicDkimKey)[];

/** Oldest first. */
export function listDkimKeys(scope: ReadScope, domainIds: readonly string[]): Promise<PublicDkimKey[]> {
  if (domainIds.length === 0) return Promise.resolve([]);
  return scope.db
    .selectFrom('dkimKeys')
    .select(publicColumns)
    .where('accountId', '=', scope.accountId)
    .where('domainId', 'in', [...domainIds])
    .orderBy('id')
    .execute();
}

export async function insertDkimKey(scope: WriteScope, key: DkimKeyRow): Promise<void> {
  await scope.tx.insertInto('dkimKeys').values(key).execute();
}

export async function updateDkimKey(
  scope: WriteScope,
  id: string,
  changes: Partial<Omit<DkimKeyRow, 'accountId' | 'id' | 'domainId'>>,
): Promise<void> {
  await scope.tx
    .updateTable('dkimKeys')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .execute();
}

export async function deleteDkimKey(scope: WriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('dkimKeys').where('accountId', '=', scope.accountId).where('id', '=', id).execute();
}

export interface SigningKeyRow {
  readonly id: string;
  readonly selector: string;
  readonly algorithm: DkimKeyRow['algorithm'];
  readonly privateKeyEncrypted: Buffer;
}

/** What signs for a domain of the account now; none for a domain that is not verified. */
export async function listSigningKeys(db: Database, accountId: string, domain: string): Promise<SigningKeyRow[]> {
  const rows = await db
    .selectFrom('dkimKeys as k')
    .innerJoin('domains as d', (join) => join.onRef('d.accountId', '=', 'k.accountId').onRef('d.id', '=', 'k.domainId'))
    .select(['k.id', 'k.selector', 'k.algorithm', 'k.privateKeyEncrypted'])
    .where('d.accountId', '=', accountId)
    .where('d.name', '=', domain)
    .where('d.verifiedAt', 'is not', null)
    .where('k.state', '=', 'CURRENT')
    .orderBy('k.algorithm')
    .execute();
  return rows.flatMap(({ privateKeyEncrypted, ...key }) =>
    privateKeyEncrypted === null ? [] : [{ ...key, privateKeyEncrypted }],
  );
}

/** The verified return path of the account's domain: its CNAME points here; null when there is none. */
export async function findReturnPath(db: Database, accountId: string, domain: string): Promise<string | null> {
  const row = await db
    .selectFrom('domains as d')
    .innerJoin('domainRecords as r', (join) =>
      join.onRef('r.accountId', '=', 'd.accountId').onRef('r.domainId', '=', 'd.id'),
    )
    .select('r.host')
    .where('d.accountId', '=', accountId)
    .where('d.name', '=', domain)
    .where('d.verifiedAt', 'is not', null)
    .where('r.purpose', '=', 'RETURN_PATH')
    .where('r.state', '=', 'OK')
    .executeTakeFirst();
  return row?.host ?? null;
}

export interface SealedKey {
  readonly accountId: string;
  readonly id: string;
  readonly privateKeyEncrypted: Buffer;
}

/** All private halves of the installation, by id, from after `after` on. */
export async function listSealedKeys(scope: SystemScope, after: string | null, limit: number): Promise<SealedKey[]> {
  let query = scope.db
    .selectFrom('dkimKeys')
    .select(['accountId', 'id', 'privateKeyEncrypted'])
    .where('privateKeyEncrypted', 'is not', null)
    .orderBy('id')
    .limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return (await query.execute()).flatMap(({ privateKeyEncrypted, ...key }) =>
    privateKeyEncrypted === null ? [] : [{ ...key, privateKeyEncrypted }],
  );
}

/** Only if nobody changed it meanwhile. */
export async function resealKey(scope: SystemScope, key: SealedKey, sealed: Buffer): Promise<void> {
  await sql`update dkim_keys set private_key_encrypted = ${sealed}
    where account_id = ${key.accountId} and id = ${key.id} and private_key_encrypted = ${key.privateKeyEncrypted}`.execute(
    scope.db,
  );
}
