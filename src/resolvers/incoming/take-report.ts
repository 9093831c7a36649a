// Mail to the report address of a domain: what receivers saw of mail in its name. Anybody may write there, for the
// address stands in DNS: what is stored is about this domain, bounded, and changes nothing but what is shown of it.
import { countReports, insertDmarcReport, insertTlsReport, listSelectors } from '#/db/domain-reports.ts';
import type { ReturnPathDomain } from '#/db/incoming-addresses.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { readReportAbout } from '#/mail/mime/offload.ts';
import type { DmarcAbout, TlsAbout } from '#/mail/reports/about-domain.ts';
import type { Deps } from '../deps.ts';
import { storable, storableJson } from '#/domain/storable.ts';
import type { Ignored } from './take-returned.ts';
import { withinTime } from './within-time.ts';

/** About one domain in a day. Some hundred receivers report in the world, a few of them hourly. */
const MAX_DAILY = 2_000;
const DAY_MS = 86_400_000;
const MAX_NAME = 255;

export async function takeReport(deps: Deps, domain: ReturnPathDomain, source: Uint8Array): Promise<Ignored | null> {
  const since = new Date(deps.clock.now().getTime() - DAY_MS);
  if ((await countReports(deps.system, domain, since, MAX_DAILY)) >= MAX_DAILY) return 'REFUSED';
  const about = { name: domain.name, selectors: await listSelectors(deps.system, domain) };
  const read = await withinTime(deps.clock, (signal) => readReportAbout(source, about, { signal })).catch(
    (error: unknown) => {
      deps.log.warn({ error, size: source.length }, 'a report could not be read');
      return { kind: 'none' } as const;
    },
  );
  switch (read.kind) {
    case 'none':
      return 'NO_NEWS';
    case 'other-domain':
      return 'UNMATCHED';
    case 'dmarc':
      return storeDmarc(deps, domain, read);
    case 'tls':
      return storeTls(deps, domain, read);
  }
}

async function storeDmarc(deps: Deps, domain: ReturnPathDomain, report: DmarcAbout): Promise<Ignored | null> {
  const now = deps.clock.now();
  const { begin, end, policy, messages, aligned, sources } = report;
  const row = {
    ...keyOf(deps, domain, now, report.orgName ?? report.email, report.reportId),
    beginAt: dateOf(begin, now),
    endAt: dateOf(end ?? begin, now),
    policy: policy.p === null ? null : storable(policy.p, 20),
    messages,
    aligned,
  };
  const isNew = await writeInSystemScope(deps.system, now, (scope) => insertDmarcReport(scope, row, sources));
  return isNew ? null : 'KNOWN';
}

async function storeTls(deps: Deps, domain: ReturnPathDomain, report: TlsAbout): Promise<Ignored | null> {
  const now = deps.clock.now();
  const { successful, failed, policies } = report;
  const row = {
    ...keyOf(deps, domain, now, report.organization ?? report.contact, report.reportId),
    beginAt: dateOf(secondsOf(report.begin), now),
    endAt: dateOf(secondsOf(report.end ?? report.begin), now),
    successful,
    failed,
    policies: storableJson(policies),
  };
  const isNew = await writeInSystemScope(deps.system, now, (scope) => insertTlsReport(scope, row));
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

const secondsOf = (date: Date | null) => (date === null ? null : date.getTime() / 1_000);

/** What a report says of its time is believed within a year of now. */
function dateOf(seconds: number | null, now: Date): Date {
  const time = seconds === null ? Number.NaN : seconds * 1_000;
  return Math.abs(time - now.getTime()) < 366 * DAY_MS ? new Date(time) : now;
}
