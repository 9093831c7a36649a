// Sends the report of one domain and day to each that its record names: by mail in the name of the installation, signed like
// every mail of its domain, or by HTTPS to public addresses alone. Each gets it once: what has gone is noted, and a mail has a
// key by which it is accepted once.
import { createHash } from 'node:crypto';
import type { SystemScope } from '#/db/scope.ts';
import { type DueReport, listSessionCounts } from '#/db/tls-sessions.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { AllRecipientsSuppressed, ExpectedError, IdempotencyConflict } from '#/domain/errors.ts';
import { readReportRecord, type ReportAddressee } from '#/mail/reports/tls-record.ts';
import { type OutgoingReport, packTlsReport, reportIdOf, tlsReportMail } from '#/mail/reports/write-tls-report.ts';
import type { Deps } from '../deps.ts';
import { sendSource } from '../emails/send-source.ts';
import { ensureReportStream, REPORT_STREAM } from '../installation/report-stream.ts';
import { ensureSystemServer } from '../installation/system-account.ts';

/** Policies, hosts and results of one day: more are not told. */
const MAX_ROWS = 1_000;

export interface Reporting {
  readonly system: SystemScope;
  readonly deps: Deps;
  /** VEREDUS_SYSTEM_FROM; null: nothing goes by mail. */
  readonly from: string | null;
  /** Before anything else is tried: it is not sent there again. */
  noteSent(due: DueReport, uri: string): Promise<void>;
}

/** `later`: something did not work that may work then. */
export async function sendTlsReport(reporting: Reporting, due: DueReport): Promise<'done' | 'later'> {
  const { system, deps, from } = reporting;
  const counts = await listSessionCounts(system, due, MAX_ROWS);
  if (counts.length === 0) return 'done';
  const answer = await deps.dns.txt(`_smtp._tls.${due.domain}`);
  if (answer.kind === 'failed') return 'later';
  // Taken away since it was counted: they want none.
  const addressees = answer.kind === 'texts' ? (readReportRecord(answer.texts) ?? []) : [];
  const sender = from === null ? null : parseMailbox(from);
  const mailbox = sender?.ok === true ? sender.mailbox : null;
  const contact = mailbox?.address ?? `postmaster@${deps.mailHost}`;
  const submitter = mailbox?.domain ?? deps.mailHost;
  const report: OutgoingReport = { domain: due.domain, day: due.day, submitter, contact, counts };
  const open = addressees.filter(({ uri }) => !due.sentTo.includes(uri));
  const results = [];
  for (const addressee of open) results.push(await sendTo(reporting, due, report, addressee));
  return results.every((sent) => sent) ? 'done' : 'later';
}

/** False: to be tried again. Never throws: the next addressee has nothing to do with this one. */
async function sendTo(
  reporting: Reporting,
  due: DueReport,
  report: OutgoingReport,
  addressee: ReportAddressee,
): Promise<boolean> {
  const { log } = reporting.deps;
  try {
    const failure =
      addressee.kind === 'mail'
        ? await byMail(reporting, report, addressee)
        : await byHttps(reporting.deps, packTlsReport(report), addressee.uri);
    if (failure !== null) {
      log.info({ domain: due.domain, day: due.day, to: addressee.kind, failure }, 'a TLS report was not taken');
      return false;
    }
    await reporting.noteSent(due, addressee.uri);
    return true;
  } catch (error) {
    log.error({ error, domain: due.domain }, 'a TLS report could not be sent; it is tried again');
    return false;
  }
}

async function byHttps(deps: Deps, packed: Buffer, url: string): Promise<string | null> {
  const headers = { 'content-type': 'application/tlsrpt+gzip', 'user-agent': 'Veredus' };
  const { status, error } = await deps.http.send({ method: 'POST', url, headers, body: packed });
  if (status === null) return error ?? 'no answer';
  return status >= 200 && status < 300 ? null : `answer ${status}`;
}

async function byMail(
  { system, deps, from }: Reporting,
  report: OutgoingReport,
  { uri, address }: Extract<ReportAddressee, { kind: 'mail' }>,
): Promise<string | null> {
  // Nobody to send it: that is the operator's choice, and no later hour changes it.
  if (from === null) return null;
  const { accountId, serverId } = await ensureSystemServer(system, deps, report.submitter);
  // Other processes, and this one's memory of streams, learn of it in a moment.
  if (await ensureReportStream(system, deps, { accountId, serverId })) return 'its stream has just been made';
  const key = createHash('sha256')
    .update(`${reportIdOf(report)} ${uri}`)
    .digest('hex')
    .slice(0, 40);
  const source = tlsReportMail(report, {
    from: report.contact,
    to: address,
    controls: { 'X-Veredus-Stream': REPORT_STREAM, 'X-Veredus-Idempotency-Key': key },
    packed: packTlsReport(report),
  });
  const actor = { kind: 'OPERATOR', accountId, label: 'installation' } as const;
  const caller = { actor, requestId: 'tls-report', ipAddress: null };
  const sent = await sendSource(deps, caller, { serverId, recipients: [address], source }).catch((error: unknown) => {
    if (error instanceof ExpectedError) return error;
    throw error;
  });
  // A conflict: accepted before, with what was counted then. A suppressed addressee does not want it.
  const settled = sent instanceof IdempotencyConflict || sent instanceof AllRecipientsSuppressed;
  return sent instanceof ExpectedError && !settled ? sent.message : null;
}
