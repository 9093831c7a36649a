// A TLS report of ours (RFC 8460 §4.4) and the mail that carries it (§5.3). tls.ts reads such reports.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

export interface ReportedCount {
  readonly policyType: string;
  readonly policyKey: string;
  readonly policy: readonly string[];
  /** `success`, or a result type of §4.3. */
  readonly result: string;
  /** Empty where it is not known. */
  readonly receivingHost: string;
  readonly receivingIp: string;
  readonly sessions: number;
}

export interface OutgoingReport {
  /** Whose receivers were called. */
  readonly domain: string;
  /** `2026-11-22`, in UTC. */
  readonly day: string;
  /** Who reports: a host name. */
  readonly submitter: string;
  readonly contact: string;
  readonly counts: readonly ReportedCount[];
}

/** The same for the same day and domain, however often it is made. */
export function reportIdOf({ day, domain, submitter }: Pick<OutgoingReport, 'day' | 'domain' | 'submitter'>): string {
  return `${day}.${domain}@${submitter}`;
}

/** As it goes over HTTPS, and as the mail's second part. */
export function packTlsReport(report: OutgoingReport): Buffer {
  return gzipSync(JSON.stringify(reportOf(report)));
}

function reportOf(report: OutgoingReport) {
  const { day, domain, submitter, contact, counts } = report;
  const policies = Map.groupBy(counts, ({ policyType, policyKey }) => `${policyType} ${policyKey}`);
  return {
    'organization-name': submitter,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': contact,
    'report-id': reportIdOf(report),
    policies: [...policies.values()].map((of) => policyOf(domain, of)),
  };
}

function policyOf(domain: string, counts: readonly ReportedCount[]) {
  const [first] = counts;
  const policy = first?.policy ?? [];
  const mx = policy.flatMap((line) => (line.startsWith('mx: ') ? [line.slice('mx: '.length)] : []));
  const sum = (of: readonly ReportedCount[]) => of.reduce((total, { sessions }) => total + sessions, 0);
  const failures = counts.filter(({ result }) => result !== 'success');
  return {
    policy: {
      'policy-type': first?.policyType,
      ...(policy.length === 0 ? {} : { 'policy-string': policy }),
      'policy-domain': domain,
      ...(mx.length === 0 ? {} : { 'mx-host': mx }),
    },
    summary: {
      'total-successful-session-count': sum(counts) - sum(failures),
      'total-failure-session-count': sum(failures),
    },
    ...(failures.length === 0 ? {} : { 'failure-details': failures.map(failureOf) }),
  };
}

function failureOf({ result, receivingHost, receivingIp, sessions }: ReportedCount) {
  return {
    'result-type': result,
    ...(receivingHost === '' ? {} : { 'receiving-mx-hostname': receivingHost }),
    ...(receivingIp === '' ? {} : { 'receiving-ip': receivingIp }),
    'failed-session-count': sessions,
  };
}

export interface ReportMail {
  readonly from: string;
  readonly to: string;
  /** Names the stream and the key by which it is accepted once (mail/source/control-fields.ts). */
  readonly controls: Readonly<Record<string, string>>;
  readonly packed: Buffer;
}

/** Header and body with CRLF; what is missing (Date, Message-ID) the composer puts in front. */
export function tlsReportMail(report: OutgoingReport, { from, to, controls, packed }: ReportMail): Buffer {
  const { domain, day, submitter } = report;
  const id = reportIdOf(report);
  const boundary = `=_${createHash('sha256').update(`${id} ${to}`).digest('hex').slice(0, 32)}`;
  const begin = Date.parse(`${day}T00:00:00Z`) / 1_000;
  const file = `${submitter}!${domain}!${begin}!${begin + 86_399}.json.gz`;
  const lines = [
    ...Object.entries(controls).map(([name, value]) => `${name}: ${value}`),
    `From: <${from}>`,
    `To: <${to}>`,
    // §5.3; folded, since the names may be long.
    `Subject: Report Domain: ${domain}\r\n Submitter: ${submitter}\r\n Report-ID: <${id}>`,
    `TLS-Report-Domain: ${domain}`,
    `TLS-Report-Submitter: ${submitter}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `This is a report about TLS on connections to the mail exchangers of`,
    `${domain} on ${day}, sent because of the record _smtp._tls.${domain}.`,
    '',
    `--${boundary}`,
    'Content-Type: application/tlsrpt+gzip',
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment;\r\n filename="${file}"`,
    '',
    ...(packed.toString('base64').match(/.{1,76}/g) ?? []),
    '',
    `--${boundary}--`,
    '',
  ];
  return Buffer.from(lines.join('\r\n'), 'utf8');
}
