// What a report says of one domain, as it is stored: added up where it is read, since a report has up to 50,000 rows and none of
// them is wanted elsewhere.
import type { ReportSource } from '#/domain/report-source.ts';
import { storable } from '#/domain/storable.ts';
import type { DmarcReport } from './dmarc.ts';
import type { ReadReport } from './read-report.ts';
import type { TlsPolicy, TlsReport } from './tls.ts';

export interface ReportedDomain {
  readonly name: string;
  /** Of the keys that we have made for it. */
  readonly selectors: ReadonlySet<string>;
}

export interface DmarcAbout extends Pick<DmarcReport, 'orgName' | 'email' | 'reportId' | 'begin' | 'end' | 'policy'> {
  readonly kind: 'dmarc';
  readonly messages: number;
  readonly aligned: number;
  readonly sources: readonly ReportSource[];
}

export interface TlsAbout extends Omit<TlsReport, 'policies'> {
  readonly kind: 'tls';
  readonly successful: number;
  readonly failed: number;
  readonly policies: readonly TlsPolicy[];
}

export type ReportAbout = DmarcAbout | TlsAbout | { readonly kind: 'none' } | { readonly kind: 'other-domain' };

/** Addresses of one report; a domain that is forged widely has some thousand. The rest is counted in its totals. */
const MAX_SOURCES = 5_000;
const MAX_DKIM_DOMAINS = 5;
/** Of a TLS report. */
const MAX_POLICIES = 20;
const MAX_FAILURES = 200;
const MAX_NAME = 255;
/** Sums of counts stay exact as numbers. */
const MAX_COUNT = 1_000_000_000;

export function reportAbout(read: ReadReport, domain: ReportedDomain): ReportAbout {
  if (!read.ok) return { kind: 'none' };
  return (read.kind === 'dmarc' ? dmarcAbout(read.report, domain) : tlsAbout(read.report, domain)) ?? OTHER;
}

const OTHER = { kind: 'other-domain' } as const;

function dmarcAbout(report: DmarcReport, domain: ReportedDomain): DmarcAbout | null {
  const { orgName, email, reportId, begin, end, policy, records } = report;
  if (!isAbout(policy.domain ?? '', domain.name)) return null;
  return {
    kind: 'dmarc',
    ...{ orgName, email, reportId, begin, end, policy },
    messages: sum(records.map(({ count }) => count)),
    aligned: sum(records.map((record) => (record.dkim === 'pass' || record.spf === 'pass' ? record.count : 0))),
    sources: sourcesOf(report, domain),
  };
}

/** One for each address, those that sent most first. */
function sourcesOf({ records }: DmarcReport, { name, selectors }: ReportedDomain): readonly ReportSource[] {
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
      ...new Set([...known.dkimDomains, ...signers.map((signer) => storable(signer, MAX_NAME).replaceAll(' ', ''))]),
    ].slice(0, MAX_DKIM_DOMAINS);
    known.ours ||= record.authDkim.some(
      ({ domain, selector, result }) =>
        result === 'pass' && domain?.toLowerCase() === name && selectors.has(selector?.toLowerCase() ?? ''),
    );
    sources.set(sourceIp, known);
  }
  return [...sources.values()].toSorted((a, b) => b.messages - a.messages).slice(0, MAX_SOURCES);
}

function tlsAbout({ policies, ...report }: TlsReport, { name }: ReportedDomain): TlsAbout | null {
  const own = policies.filter(({ domain }) => domain !== null && isAbout(domain, name));
  if (own.length === 0) return null;
  return {
    kind: 'tls',
    ...report,
    successful: sum(own.map(({ successful }) => successful)),
    failed: sum(own.map(({ failed }) => failed)),
    policies: own
      .slice(0, MAX_POLICIES)
      .map((policy) => ({ ...policy, failures: policy.failures.slice(0, MAX_FAILURES) })),
  };
}

/** The domain, its parent whose policy holds for it, or a name below it. */
function isAbout(reported: string, name: string): boolean {
  const lower = reported.toLowerCase().replace(/\.$/, '');
  return lower === name || lower.endsWith(`.${name}`) || (lower.includes('.') && name.endsWith(`.${lower}`));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => Math.min(total + Math.min(count, MAX_COUNT), Number.MAX_SAFE_INTEGER), 0);
}
