// What DNS said of each record of a domain when it was last asked.
import type { Selectable } from 'kysely';
import type { ReadScope, WriteScope } from './scope.ts';
import type { DomainRecordsTable } from './tables.gen.ts';

export type DomainRecordRow = Selectable<DomainRecordsTable>;

export function listDomainRecords(scope: ReadScope, domainIds: readonly string[]): Promise<DomainRecordRow[]> {
  if (domainIds.length === 0) return Promise.resolve([]);
  return scope.db
    .selectFrom('domainRecords')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('domainId', 'in', [...domainIds])
    .execute();
}

/** All that is known of the domain's records from now on. */
export async function replaceDomainRecords(
  scope: WriteScope,
  domainId: string,
  records: readonly Omit<DomainRecordRow, 'accountId' | 'domainId'>[],
): Promise<void> {
  const { accountId, tx } = scope;
  await tx.deleteFrom('domainRecords').where('accountId', '=', accountId).where('domainId', '=', domainId).execute();
  for (const record of records) {
    await tx
      .insertInto('domainRecords')
      .values({ accountId, domainId, ...record })
      .execute();
  }
}
