// Aggregate reports of receivers about a domain: DMARC (RFC 7489) and TLS (RFC 8460). Each is stored once.
import { type Selectable, sql } from 'kysely';
import type { ReportSource } from '#/domain/report-source.ts';
import { array } from './arrays.ts';
import type { ReadScope, SystemScope, SystemWriteScope } from './scope.ts';
import type { DmarcReportsTable, TlsReportsTable } from './tables.gen.ts';

export type DmarcReportRow = Selectable<DmarcReportsTable>;
export type TlsReportRow = Omit<Selectable<TlsReportsTable>, 'policies'> & {
  /** JSON. */
  readonly policies: string;
};

/** False: it was there. */
export async function insertDmarcReport(
  scope: SystemWriteScope,
  report: DmarcReportRow,
  sources: readonly ReportSource[],
): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('dmarcReports')
    .values(report)
    .onConflict((conflict) => conflict.columns(['accountId', 'domainId', 'organization', 'reportId']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted === undefined) return false;
  const column = <K extends keyof ReportSource>(key: K) => sources.map((source) => source[key]);
  await sql`
    insert into dmarc_report_sources
      (account_id, report_id, ordinal, source_ip, messages, dkim_aligned, spf_aligned, dkim_domains, ours)
    select ${report.accountId}::uuid, ${report.id}::uuid, place, source_ip, messages, dkim_aligned, spf_aligned,
      array (select jsonb_array_elements_text(dkim_domains)), ours
    from unnest(${array('text', column('sourceIp'))}, ${array('int8', column('messages'))}, ${array('int8', column('dkimAligned'))},
      ${array('int8', column('spfAligned'))}, ${array(
        'jsonb',
        sources.map(({ dkimDomains }) => JSON.stringify(dkimDomains)),
      )}, ${array('bool', column('ours'))})
      with ordinality as row (source_ip, messages, dkim_aligned, spf_aligned, dkim_domains, ours, place)`.execute(
    scope.tx,
  );
  return true;
}

/** Of all keys that the domain ever had. */
export async function listSelectors(
  scope: SystemScope,
  { accountId, domainId }: { readonly accountId: string; readonly domainId: string },
): Promise<Set<string>> {
  const rows = await scope.db
    .selectFrom('dkimKeys')
    .select('selector')
    .where('accountId', '=', accountId)
    .where('domainId', '=', domainId)
    .execute();
  return new Set(rows.map(({ selector }) => selector));
}

/** False: it was there. */
export async function insertTlsReport(scope: SystemWriteScope, report: TlsReportRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('tlsReports')
    .values(report)
    .onConflict((conflict) => conflict.columns(['accountId', 'domainId', 'organization', 'reportId']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Reports of either kind about a domain that came since then, counted up to `most`. */
export async function countReports(
  scope: SystemScope,
  { accountId, domainId }: { readonly accountId: string; readonly domainId: string },
  since: Date,
  most: number,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from (
      select 1 from dmarc_reports
      where account_id = ${accountId}::uuid and domain_id = ${domainId}::uuid and received_at >= ${since}
      union all select 1 from tls_reports
      where account_id = ${accountId}::uuid and domain_id = ${domainId}::uuid and received_at >= ${since}
      limit ${most}) as lately`.execute(scope.db);
  return rows[0]?.count ?? 0;
}

export interface DmarcTotals {
  readonly domainId: string;
  readonly policy: string | null;
  readonly reports: number;
  readonly messages: number;
  readonly alignedMessages: number;
}

/** Of reports about days since then; domains without any are missing. */
export async function listDmarcTotals(
  scope: ReadScope,
  domainIds: readonly string[],
  since: Date,
): Promise<DmarcTotals[]> {
  const totals = sql<DmarcTotals>`(
    select domain_id, (array_agg(policy order by end_at desc))[1] as policy, count(*)::int as reports,
      sum(messages)::bigint as messages, sum(aligned)::bigint as aligned_messages
    from dmarc_reports
    where account_id = ${scope.accountId}::uuid and domain_id = any(${array('uuid', domainIds)}) and end_at >= ${since}
    group by domain_id)`.as('totals');
  return scope.db.selectFrom(totals).selectAll().execute();
}

/** By address, those that sent most first. */
export function listDmarcSources(
  scope: ReadScope,
  domainId: string,
  since: Date,
  limit: number,
): Promise<ReportSource[]> {
  const totals = sql<ReportSource>`(
    select s.source_ip, sum(s.messages)::bigint as messages, sum(s.dkim_aligned)::bigint as dkim_aligned,
      sum(s.spf_aligned)::bigint as spf_aligned,
      coalesce(string_to_array((array_agg(array_to_string(s.dkim_domains, ' ') order by s.messages desc))[1], ' '), '{}')
        as dkim_domains, bool_or(s.ours) as ours
    from dmarc_reports r
    join dmarc_report_sources s on s.account_id = r.account_id and s.report_id = r.id
    where r.account_id = ${scope.accountId}::uuid and r.domain_id = ${domainId}::uuid and r.end_at >= ${since}
    group by s.source_ip order by messages desc, s.source_ip limit ${limit})`.as('totals');
  return scope.db.selectFrom(totals).selectAll().orderBy('messages', 'desc').orderBy('sourceIp').execute();
}

/** How many were deleted, at most `limit`. */
export async function deleteOldReports(scope: SystemScope, before: Date, limit: number): Promise<number> {
  let deleted = 0;
  for (const table of ['dmarc_reports', 'tls_reports']) {
    const { numAffectedRows } = await sql`
      delete from ${sql.table(table)} where (account_id, id) in (
        select account_id, id from ${sql.table(table)} where received_at < ${before} limit ${limit})`.execute(scope.db);
    deleted += Number(numAffectedRows ?? 0);
  }
  return deleted;
}
