// TLS reports, RFC 8460 §4.4.
import { decodeXml } from './xml.ts';
import { type ReportLimits, ReportRefused } from './limits.ts';

export interface TlsReport {
  readonly organization: string | null;
  readonly contact: string | null;
  readonly reportId: string | null;
  readonly begin: Date | null;
  readonly end: Date | null;
  readonly policies: readonly TlsPolicy[];
}

export interface TlsPolicy {
  /** `sts`, `tlsa` or `no-policy-found`. */
  readonly type: string | null;
  readonly domain: string | null;
  readonly policy: readonly string[];
  readonly mxHosts: readonly string[];
  readonly successful: number;
  readonly failed: number;
  readonly failures: readonly TlsFailure[];
}

export interface TlsFailure {
  /** `certificate-expired`, `starttls-not-supported` and the others of RFC 8460 §4.3. */
  readonly type: string | null;
  readonly sendingIp: string | null;
  readonly receivingHost: string | null;
  readonly receivingHelo: string | null;
  readonly receivingIp: string | null;
  readonly sessions: number;
  readonly information: string | null;
  readonly reason: string | null;
}

type Json = Readonly<Record<string, unknown>>;

/** Null for JSON that is no such report. */
export function parseTlsReport(bytes: Buffer, limits: ReportLimits): TlsReport | null {
  let json: unknown;
  try {
    json = JSON.parse(decodeXml(bytes).trim());
  } catch {
    return null;
  }
  const report = objectOf(json);
  const policies = report?.['policies'];
  if (report === null || !Array.isArray(policies)) return null;
  if (!('report-id' in report) && !('organization-name' in report) && !('date-range' in report)) return null;
  const range = objectOf(report['date-range']);
  const parsed = policies.slice(0, limits.maxRecords + 1).map((entry) => policyOf(objectOf(entry) ?? {}));
  const details = parsed.reduce((sum, { failures }) => sum + failures.length, parsed.length);
  if (details > limits.maxRecords) throw new ReportRefused('TOO_BIG', 'has too many records');
  return {
    organization: textOf(report['organization-name']),
    contact: textOf(report['contact-info']),
    reportId: textOf(report['report-id']),
    begin: dateOf(range?.['start-datetime']),
    end: dateOf(range?.['end-datetime']),
    policies: parsed,
  };
}

function policyOf(entry: Json): TlsPolicy {
  const policy = objectOf(entry['policy']) ?? {};
  const summary = objectOf(entry['summary']) ?? {};
  const failures = entry['failure-details'];
  return {
    type: textOf(policy['policy-type'])?.toLowerCase() ?? null,
    domain: textOf(policy['policy-domain'])?.toLowerCase() ?? null,
    policy: textsOf(policy['policy-string']),
    mxHosts: textsOf(policy['mx-host']),
    successful: countOf(summary['total-successful-session-count']),
    failed: countOf(summary['total-failure-session-count']),
    failures: (Array.isArray(failures) ? failures : []).map((failure) => failureOf(objectOf(failure) ?? {})),
  };
}

function failureOf(failure: Json): TlsFailure {
  return {
    type: textOf(failure['result-type'])?.toLowerCase() ?? null,
    sendingIp: textOf(failure['sending-mta-ip']),
    receivingHost: textOf(failure['receiving-mx-hostname']),
    receivingHelo: textOf(failure['receiving-mx-helo']),
    receivingIp: textOf(failure['receiving-ip']),
    sessions: countOf(failure['failed-session-count']),
    information: textOf(failure['additional-information']),
    reason: textOf(failure['failure-reason-code']),
  };
}

function objectOf(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.trim() || null : null;
}

/** `mx-host` is a text in the RFC's example and a list in its grammar. */
function textsOf(value: unknown): string[] {
  const all: unknown[] = Array.isArray(value) ? value : [value];
  return all.flatMap((one) => textOf(one) ?? []);
}

/** Some write numbers as texts. */
function countOf(value: unknown): number {
  const count = typeof value === 'string' ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

function dateOf(value: unknown): Date | null {
  const text = textOf(value);
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time);
}
