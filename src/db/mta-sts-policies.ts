// MTA-STS policies of recipients' domains, kept for as long as they say (RFC 8461 §3.2), over restarts and for all workers.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type { MtaStsPoliciesTable } from './tables.gen.ts';

export type MtaStsPolicyRow = Selectable<MtaStsPoliciesTable>;

/** Those that have not expired, by domain. */
export async function findMtaStsPolicies(
  { db }: SystemScope,
  domains: readonly string[],
  now: Date,
): Promise<Map<string, MtaStsPolicyRow>> {
  const rows = await db
    .selectFrom('mtaStsPolicies')
    .selectAll()
    .where(sql<boolean>`domain = any(${array('text', domains)})`)
    .where('expiresAt', '>', now)
    .execute();
  return new Map(rows.map((row) => [row.domain, row]));
}

/** What was fetched last counts; another worker that was slower does not take it back. */
export async function keepMtaStsPolicy({ tx }: SystemWriteScope, policy: MtaStsPolicyRow): Promise<void> {
  const { domain: _domain, ...changes } = policy;
  await tx
    .insertInto('mtaStsPolicies')
    .values(policy)
    .onConflict((conflict) =>
      conflict.column('domain').doUpdateSet(changes).where('mtaStsPolicies.fetchedAt', '<=', policy.fetchedAt),
    )
    .execute();
}

/** At most `limit`; answers how many. */
export async function forgetExpiredPolicies({ db }: SystemScope, now: Date, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from mta_sts_policies where domain in (
      select domain from mta_sts_policies where expires_at <= ${now} order by expires_at limit ${limit} for update skip locked)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
