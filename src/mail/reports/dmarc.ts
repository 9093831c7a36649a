// DMARC aggregate reports: RFC 7489 Appendix C, its drafts, and RFC 9990. Absent values are null: defaults are for who
// reads them.
import { parseDate } from '../mime/dates.ts';
import { type ReportLimits, ReportRefused } from './limits.ts';
import { child, childrenOf, decodeXml, parseXml, textIn, type XmlElement } from './xml.ts';

export interface DmarcReport {
  readonly version: string | null;
  readonly orgName: string | null;
  readonly email: string | null;
  readonly extraContact: string | null;
  readonly reportId: string | null;
  /** Seconds since 1970. */
  readonly begin: number | null;
  readonly end: number | null;
  readonly errors: readonly string[];
  readonly policy: DmarcPublishedPolicy;
  readonly records: readonly DmarcRecord[];
}

/** Words of a fixed vocabulary are in lower case here; domains are as written. */
export interface DmarcPublishedPolicy {
  readonly domain: string | null;
  readonly adkim: string | null;
  readonly aspf: string | null;
  readonly p: string | null;
  readonly sp: string | null;
  readonly np: string | null;
  readonly pct: number | null;
  readonly fo: string | null;
  readonly testing: string | null;
  readonly discoveryMethod: string | null;
}

export interface DmarcRecord {
  readonly sourceIp: string | null;
  readonly count: number;
  readonly disposition: string | null;
  readonly dkim: string | null;
  readonly spf: string | null;
  readonly reasons: readonly { readonly type: string | null; readonly comment: string | null }[];
  readonly headerFrom: string | null;
  readonly envelopeFrom: string | null;
  readonly envelopeTo: string | null;
  readonly authDkim: readonly {
    readonly domain: string | null;
    readonly selector: string | null;
    readonly result: string | null;
  }[];
  readonly authSpf: readonly {
    readonly domain: string | null;
    readonly scope: string | null;
    readonly result: string | null;
  }[];
}

/** Null for XML that is no such report. */
export function parseDmarcReport(bytes: Buffer, limits: ReportLimits): DmarcReport | null {
  const feedback = parseXml(decodeXml(bytes), 'feedback', limits);
  if (feedback === null) return null;
  const metadata = child(feedback, 'report_metadata');
  const policy = child(feedback, 'policy_published');
  const records = childrenOf(feedback, 'record');
  if (metadata === undefined || (policy === undefined && records.length === 0)) return null;
  if (records.length > limits.maxRecords) throw new ReportRefused('TOO_BIG', 'has too many records');
  const range = child(metadata, 'date_range');
  return {
    version: textIn(feedback, 'version'),
    orgName: textIn(metadata, 'org_name'),
    email: textIn(metadata, 'email'),
    extraContact: textIn(metadata, 'extra_contact_info'),
    reportId: textIn(metadata, 'report_id'),
    begin: seconds(textIn(range, 'begin')),
    end: seconds(textIn(range, 'end')),
    errors: childrenOf(metadata, 'error').flatMap(({ text }) => (text.trim() === '' ? [] : [text.trim()])),
    policy: policyOf(policy),
    records: records.map(recordOf),
  };
}

function policyOf(policy: XmlElement | undefined): DmarcPublishedPolicy {
  return {
    domain: textIn(policy, 'domain'),
    adkim: word(policy, 'adkim'),
    aspf: word(policy, 'aspf'),
    p: word(policy, 'p'),
    sp: word(policy, 'sp'),
    np: word(policy, 'np'),
    pct: whole(textIn(policy, 'pct')),
    fo: word(policy, 'fo'),
    testing: word(policy, 'testing'),
    discoveryMethod: word(policy, 'discovery_method'),
  };
}

function recordOf(record: XmlElement): DmarcRecord {
  const row = child(record, 'row');
  const evaluated = child(row, 'policy_evaluated');
  const identifiers = child(record, 'identifiers') ?? child(record, 'identities');
  const results = child(record, 'auth_results');
  return {
    sourceIp: textIn(row, 'source_ip'),
    count: whole(textIn(row, 'count')) ?? 0,
    disposition: word(evaluated, 'disposition'),
    dkim: word(evaluated, 'dkim'),
    spf: word(evaluated, 'spf'),
    reasons: childrenOf(evaluated, 'reason').map((reason) => ({
      type: word(reason, 'type'),
      comment: textIn(reason, 'comment'),
    })),
    headerFrom: textIn(identifiers, 'header_from'),
    envelopeFrom: textIn(identifiers, 'envelope_from'),
    envelopeTo: textIn(identifiers, 'envelope_to'),
    authDkim: childrenOf(results, 'dkim').map((dkim) => ({
      domain: textIn(dkim, 'domain'),
      selector: textIn(dkim, 'selector'),
      result: word(dkim, 'result'),
    })),
    authSpf: childrenOf(results, 'spf').map((spf) => ({
      domain: textIn(spf, 'domain'),
      scope: word(spf, 'scope'),
      result: word(spf, 'result'),
    })),
  };
}

function word(element: XmlElement | undefined, name: string): string | null {
  return textIn(element, name)?.toLowerCase() ?? null;
}

function whole(text: string | null): number | null {
  const value = text === null ? Number.NaN : Math.trunc(Number(text));
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Seconds of the year 5138: what is more is milliseconds. */
const MOST_SECONDS = 1e11;

/** Some write a date where RFC 7489 wants seconds, ISO 8601's or a mail's. */
function seconds(text: string | null): number | null {
  if (text === null) return null;
  const plain = whole(text);
  if (plain !== null) return plain < MOST_SECONDS ? plain : Math.trunc(plain / 1_000);
  const zoned = /(?:[zZ]|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text.replace(' ', 'T')}Z`;
  const time = /^\d{4}-\d\d-\d\d/.test(text)
    ? Date.parse(/T/.test(zoned) ? zoned : text)
    : (parseDate(text)?.getTime() ?? Number.NaN);
  return Number.isNaN(time) ? null : Math.floor(time / 1_000);
}
