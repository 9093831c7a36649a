// Tells domains once a day how TLS to them went (RFC 8460). Each due report is taken by one node: it is put off in the same
// statement, so that it comes again by itself if that node dies.
import type { SystemScope } from '#/db/scope.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { claimDueReports, type DueReport, endReport, noteReportSent, putOffReport } from '#/db/tls-sessions.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { type Reporting, sendTlsReport } from '#/resolvers/tls-reports/send-tls-report.ts';

const AT_ONCE = 20;
const EVERY_MS = 5 * 60_000;
/** Far above what five addressees may take, each with the time of one call. */
const LEASE_MS = 15 * 60_000;
/** Then it is tried again, so often: for a day and more (§4.2), and given up. */
const LATER_MS = 2 * 3_600_000;
const MAX_TRIES = 14;

interface ReportDeps {
  readonly system: SystemScope;
  readonly deps: Deps;
  /** VEREDUS_SYSTEM_FROM. */
  readonly from: string | null;
}

export function startTlsReports(reporting: ReportDeps): AsyncDisposable {
  const { clock, log } = reporting.deps;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const done = await sendDueReports(reporting).catch((error: unknown) => {
        log.error({ error }, 'TLS reports could not be sent; they are tried again');
        return 0;
      });
      if (done < AT_ONCE) await clock.sleep(EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** How many were due, at most AT_ONCE. */
export async function sendDueReports({ system, deps, from }: ReportDeps): Promise<number> {
  const now = deps.clock.now();
  const due = await claimDueReports(system, {
    now,
    leaseEnd: new Date(now.getTime() + LEASE_MS),
    limit: AT_ONCE,
  });
  const noteSent = (report: DueReport, uri: string) =>
    writeInSystemScope(system, deps.clock.now(), (scope) => noteReportSent(scope, report, uri));
  await Promise.all(due.map((report) => tell({ system, deps, from, noteSent }, report)));
  return due.length;
}

async function tell(reporting: Reporting, report: DueReport): Promise<void> {
  const { system, deps } = reporting;
  const result = await sendTlsReport(reporting, report).catch((error: unknown) => {
    deps.log.error({ error, domain: report.domain }, 'a TLS report could not be made; it is tried again');
    return 'later' as const;
  });
  const now = deps.clock.now();
  await writeInSystemScope(system, now, (scope) =>
    result === 'done' || report.tries >= MAX_TRIES
      ? endReport(scope, report)
      : putOffReport(scope, report, new Date(now.getTime() + LATER_MS)),
  );
}
