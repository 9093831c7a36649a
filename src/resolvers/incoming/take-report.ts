// Mail to the report address of a domain: what receivers saw of mail in its name. Anybody may write there, for the
// address stands in DNS: what is stored is about this domain, bounded, and changes nothing but what is shown of it.
import {
  countReports,
  insertDmarcReport,
  insertTlsReport,
  listSelectors,
  type ReportSource,
} from '#/db/domain-reports.ts';
import type { ReturnPathDomain } from '#/db/incoming-addresses.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { readReport } from '#/mail/mime/offload.ts';
import type { DmarcReport } from '#/mail/reports/dmarc.ts';
import type { TlsReport } from '#/mail/reports/tls.ts';
import type { Deps } from '../deps.ts';
import { storable, storableJson } from './storable.ts';
import type { Ignored } from './take-returned.ts';
import { withinTime } from './within-time.ts';

/** About one domain in a day. Some hundred receivers report in the world, a few of them hourly. */
const MAX_DAILY = 2_000;
const DAY_MS = 86_400_000;
const MAX_NAME = 255;
/** Addresses of one report; a domain that is forged widely has some thousand. The rest is counted in its totals. */
const MAX_SOURCES = 5_000;
const MAX_DKIM_DOMAINS = 5;
/** Of a TLS report. */
const MAX_POLICIES = 20;
const MAX_FAILURES = 200;
/** Sums of counts stay exact as numbers. */
const MAX_COUNT = 1_000_000_000;

export async function takeReport(deps: Deps, domain: ReturnPathDomain, source: Uint8Array): Promise<Ignored | null> {
  const since = new Date(deps.clock.now().getTime() - DAY_MS);
  if ((await countReports(deps.system, domain, since, MAX_DAILY)) >= MAX_DAILY) return 'REFUSED';
  const read = await withinTime(deps.clock, (signal) => readReport(source, { signal })).catch((error: unknown) => {
    deps.log.warn({ error, size: source.length }, 'a report could not be read');
    return null;
  });
  if (read === null || !read.ok) return 'NO_NEWS';
  const stored =
    read.kind === 'dmarc' ? await storeDmarc(deps, domain, read.report) : await storeTls(deps, domain, read.report);
  return stored;
}

async function storeDmarc(deps: Deps, domain: ReturnPathDomain, report: DmarcReport): Promise<Ignored | null> {
  if (!isAbout(report.policy.domain ?? '', domain.name)) return 'UNMATCHED';
  const selectors = await listSelectors(deps.system, domain);
  const sources = sourcesOf(report, (signer, selector) => signer === domain.name && selectors.has(selector));
  const now = deps.clock.now();
  const { begin, end } = report;
  const row = {
    ...keyOf(deps, domain, now, report.orgName ?? report.email, report.reportId),
    beginAt: dateOf(begin, now),
    endAt: dateOf(end ?? begin, now),
    policy: report.policy.p === null ? null : storable(report.policy.p, 20),
    messages: sum(report.records.map(({ count }) => count)),
    aligned: sum(report.records.map((record) => (record.dkim === 'pass' || record.spf === 'pass' ? record.count : 0))),
  };
  const isNew = await writeInSystemScope(deps.system, now, (scope) => insertDmarcReport(scope, row, sources));
  return isNew ? null : 'KNOWN';
}

function keyOf(deps: Deps, domain: ReturnPathDomain, now: Date, organization: string | null, reportId: string | null) {
  return {
    accountId: domain.accountId,
    id: deps.ids.next(),
    domainId: domain.domainId,
    receivedAt: now,
    organization: storable(organization ?? '', MAX_NAME),
    reportId: storable(reportId ?? '', MAX_NAME),
  };
}

/** One row for each address, those that sent most first. */
function sourcesOf(
  { records }: DmarcReport,
  isOurKey: (domain: string, selector: string) => boolean,
): readonly ReportSource[] {
  const sources = new Map<string, { -readonly [K in keyof ReportSource]: ReportSource[K] }>();
  for (const record of records) {
    const sourceIp = storable(record.sourceIp ?? '', 64);
    const known = sources.get(sourceIp) ?? {
      sourceIp,
      messages: 0,
      dkimAligned: 0,
      spfAligned: 0,
      dkimDomains: [],
      ours: false,
    };
    const count = Math.min(record.count, MAX_COUNT);
    known.messages += count;
    if (record.dkim === 'pass') known.dkimAligned += count;
    if (record.spf === 'pass') known.spfAligned += count;
    const signers = record.authDkim.flatMap(({ domain, result }) =>
      domain !== null && result === 'pass' ? [domain] : [],
    );
    known.dkimDomains = [
      ...new Set([...known.dkimDomains, ...signers.map((name) => storable(name, MAX_NAME).replaceAll(' ', ''))]),
    ].slice(0, MAX_DKIM_DOMAINS);
    known.ours ||= record.authDkim.some(
      ({ domain, selector, result }) =>
        result === 'pass' && isOurKey(domain?.toLowerCase() ?? '', selector?.toLowerCase() ?? ''),
    );
    sources.set(sourceIp, known);
  }
  return [...sources.values()].toSorted((a, b) => b.messages - a.messages).slice(0, MAX_SOURCES);
}

async function storeTls(deps: Deps, domain: ReturnPathDomain, report: TlsReport): Promise<Ignored | null> {
  const policies = report.policies.filter((policy) => policy.domain !== null && isAbout(policy.domain, domain.name));
  if (policies.length === 0) return 'UNMATCHED';
  const now = deps.clock.now();
  const row = {
    ...keyOf(deps, domain, now, report.organization ?? report.contact, report.reportId),
    beginAt: dateOf(secondsOf(report.begin), now),
    endAt: dateOf(secondsOf(report.end ?? report.begin), now),
    successful: sum(policies.map(({ successful }) => successful)),
    failed: sum(policies.map(({ failed }) => failed)),
    policies: storableJson(
      policies
        .slice(0, MAX_POLICIES)
        .map((policy) => ({ ...policy, failures: policy.failures.slice(0, MAX_FAILURES) })),
    ),
  };
  const isNew = await writeInSystemScope(deps.system, now, (scope) => insertTlsReport(scope, row));
  return isNew ? null : 'KNOWN';
}

/** The domain, its parent whose policy holds for it, or a name below it. */
function isAbout(reported: string, name: string): boolean {
  const lower = reported.toLowerCase().replace(/\.$/, '');
  return lower === name || lower.endsWith(`.${name}`) || (lower.includes('.') && name.endsWith(`.${lower}`));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => Math.min(total + Math.min(count, MAX_COUNT), Number.MAX_SAFE_INTEGER), 0);
}

const secondsOf = (date: Date | null) => (date === null ? null : date.getTime() / 1_000);

/** What a report says of its time is believed within a year of now. */
function dateOf(seconds: number | null, now: Date): Date {
  const time = seconds === null ? Number.NaN : seconds * 1_000;
  return Math.abs(time - now.getTime()) < 366 * DAY_MS ? new Date(time) : now;
}
