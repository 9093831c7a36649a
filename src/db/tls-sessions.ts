// Sessions that were counted for TLS reports, and the reports that are due (RFC 8460).
import { sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';

export interface SessionCount {
  readonly domain: string;
  /** `2026-11-22`, in UTC. */
  readonly day: string;
  readonly policyType: string;
  /** What tells policies of one type apart: a hash of `policy`. */
  readonly policyKey: string;
  /** As the report says it. */
  readonly policy: readonly string[];
  /** `success`, or a result type of RFC 8460 §4.3. */
  readonly result: string;
  /** Of a failure; else empty. */
  readonly receivingHost: string;
  readonly receivingIp: string;
  readonly sessions: number;
}

/** Rows must differ in their key; in its order, so that two workers never wait for each other in a circle. */
export async function addSessionCounts({ tx }: SystemWriteScope, counts: readonly SessionCount[]): Promise<void> {
  const column = (key: Exclude<keyof SessionCount, 'policy' | 'sessions'>) =>
    array(
      'text',
      counts.map((count) => count[key]),
    );
  await sql`
    insert into tls_session_counts as t
      (domain, day, policy_type, policy_key, result, receiving_host, receiving_ip, policy, sessions)
    select domain, day, policy_type, policy_key, result, receiving_host, receiving_ip,
      array (select jsonb_array_elements_text(policy)), sessions
    from unnest(${column('domain')}, ${column('day')}, ${column('policyType')}, ${column('policyKey')}, ${column('result')},
      ${column('receivingHost')}, ${column('receivingIp')},
      ${array(
        'jsonb',
        counts.map(({ policy }) => JSON.stringify(policy)),
      )}, ${array(
        'int8',
        counts.map(({ sessions }) => sessions),
      )})
      as c (domain, day, policy_type, policy_key, result, receiving_host, receiving_ip, policy, sessions)
    order by 1, 2, 3, 4, 5, 6, 7
    on conflict (domain, day, policy_type, policy_key, result, receiving_host, receiving_ip)
      do update set sessions = t.sessions + excluded.sessions`.execute(tx);
}

export interface DueReport {
  readonly domain: string;
  readonly day: string;
  readonly tries: number;
  /** Where it has arrived already. */
  readonly sentTo: readonly string[];
}

export async function planReports(
  { tx }: SystemWriteScope,
  reports: readonly { readonly domain: string; readonly day: string; readonly dueAt: Date }[],
): Promise<void> {
  await sql`
    insert into tls_reports_due (domain, day, due_at)
    select domain, day, due_at
    from unnest(${array(
      'text',
      reports.map(({ domain }) => domain),
    )}, ${array(
      'text',
      reports.map(({ day }) => day),
    )},
      ${array(
        'timestamptz',
        reports.map(({ dueAt }) => dueAt),
      )}) as r (domain, day, due_at)
    order by 1, 2
    on conflict (domain, day) do nothing`.execute(tx);
}

/** Each is one node's until `leaseEnd`, and then anybody's again. */
export async function claimDueReports(
  { db }: SystemScope,
  options: { readonly now: Date; readonly leaseEnd: Date; readonly limit: number },
): Promise<DueReport[]> {
  const { rows } = await sql<DueReport>`
    update tls_reports_due r set due_at = ${options.leaseEnd}, tries = r.tries + 1
    from (select domain, day from tls_reports_due where due_at <= ${options.now} order by due_at
      limit ${options.limit} for update skip locked) as due
    where r.domain = due.domain and r.day = due.day
    returning r.domain, r.day, r.tries, r.sent_to`.execute(db);
  return rows;
}

/** One of its addressees has it. */
export async function noteReportSent({ tx }: SystemWriteScope, { domain, day }: DueReport, uri: string): Promise<void> {
  await sql`
    update tls_reports_due set sent_to = array_append(sent_to, ${uri}) where domain = ${domain} and day = ${day}`.execute(
    tx,
  );
}

export async function putOffReport({ tx }: SystemWriteScope, { domain, day }: DueReport, dueAt: Date): Promise<void> {
  await sql`update tls_reports_due set due_at = ${dueAt} where domain = ${domain} and day = ${day}`.execute(tx);
}

/** Told, or given up: what was counted goes with it. */
export async function endReport({ tx }: SystemWriteScope, { domain, day }: DueReport): Promise<void> {
  await sql`delete from tls_session_counts where domain = ${domain} and day = ${day}`.execute(tx);
  await sql`delete from tls_reports_due where domain = ${domain} and day = ${day}`.execute(tx);
}

/** The successes, and the most frequent failures: at most `limit` rows. */
export async function listSessionCounts(
  { db }: SystemScope,
  { domain, day }: Pick<DueReport, 'domain' | 'day'>,
  limit: number,
): Promise<SessionCount[]> {
  const { rows } = await sql<SessionCount>`
    select domain, day, policy_type, policy_key, policy, result, receiving_host, receiving_ip, sessions
    from tls_session_counts where domain = ${domain} and day = ${day}
    order by result = 'success' desc, sessions desc limit ${limit}`.execute(db);
  return rows;
}

/** What nobody sends any more, since reports were turned off: at most `limit`; answers how many. */
export async function forgetOldReports({ db }: SystemScope, before: Date, limit: number): Promise<number> {
  const { rows } = await sql<{ forgotten: number }>`
    with old as (
      delete from tls_reports_due where (domain, day) in (
        select domain, day from tls_reports_due where due_at < ${before} order by due_at limit ${limit} for update skip locked)
      returning domain, day),
    counts as (
      delete from tls_session_counts c using old where c.domain = old.domain and c.day = old.day)
    select count(*) as forgotten from old`.execute(db);
  return Number(rows[0]?.forgotten ?? 0);
}
