// Counts sessions for TLS reports (RFC 8460), for domains that ask for them: in memory, added up in the database every half
// minute. A worker that is killed forgets what it counted since. A session counts once for each domain whose mail goes over it.
import { createHash } from 'node:crypto';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { addSessionCounts, planReports, type SessionCount } from '#/db/tls-sessions.ts';
import { readReportRecord } from '#/mail/reports/tls-record.ts';
import type { Clock, Dns, Log, Random, SmtpSession } from '#/runtime/ports.ts';
import { BoundedCache, type Kept } from './bounded-cache.ts';
import { Turnstile } from './turnstile.ts';
import { type CountedSession, countedSessions, type TlsUse } from './outcome.ts';
import type { DomainSecurity } from './plan.ts';

const FLUSH_MS = 30_000;
const HOUR = 3_600_000;
/** Whether a domain asks for reports is asked once a day. */
const ASKED_MS = 24 * HOUR;
const DOMAINS = 50_000;
/** Nobody waits for these. */
const LOOKUPS = { atOnce: 20, holdMs: 500 } as const;
/** Different counts that wait for the next half minute: more than that are not told. */
const MAX_WAITING = 20_000;
/** Of one domain in half a minute: hosts and addresses that fail are named by strangers, and may be without end. */
const MAX_FAILURES = 50;
/** RFC 8460 §4.2: the day is over everywhere it was counted, and not all reports of the world go out at once. */
const REPORT_AFTER = { least: HOUR, spread: 4 * HOUR } as const;

export interface SessionCounts extends AsyncDisposable {
  /** `held`: the session, or the failure to have one: it is counted once for the domain. Costs nothing to call again. */
  note(
    held: object,
    security: DomainSecurity,
    session: Pick<SmtpSession, 'target' | 'check'> | null,
    use: TlsUse,
  ): void;
  flush(): Promise<void>;
}

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly dns: Pick<Dns, 'txt'>;
  readonly random: Random;
  readonly log: Log;
}

export function startSessionCounts(deps: Deps): SessionCounts {
  const { system, clock } = deps;
  const noted = new WeakMap<object, Set<string>>();
  const stopping = new AbortController();
  let waiting = new Map<string, SessionCount>();
  let failuresOf = new Map<string, number>();

  const lookups = new Turnstile(clock, LOOKUPS);

  const wanted = new BoundedCache<boolean>(clock, DOMAINS, async (domain): Promise<Kept<boolean>> => {
    const answer = await lookups.pass(() => deps.dns.txt(`_smtp._tls.${domain}`, { inOneQuery: true }));
    if (answer.kind === 'failed') return { answer: false, freshMs: HOUR };
    return { answer: answer.kind === 'texts' && readReportRecord(answer.texts) !== null, freshMs: ASKED_MS };
  });

  const add = (domain: string, day: string, { policyType, policy, failure }: CountedSession): void => {
    let receivingHost = failure?.host ?? '';
    let receivingIp = failure?.address ?? '';
    const policyKey = createHash('sha256').update(policy.join('\n')).digest('base64url').slice(0, 16);
    const result = failure?.flaw ?? 'success';
    const keyOf = () => [domain, day, policyType, policyKey, result, receivingHost, receivingIp].join('\n');
    if (failure !== null && !waiting.has(keyOf())) {
      const failures = (failuresOf.get(domain) ?? 0) + 1;
      failuresOf.set(domain, failures);
      if (failures > MAX_FAILURES) receivingHost = receivingIp = '';
    }
    const key = keyOf();
    const known = waiting.get(key);
    if (known === undefined && waiting.size >= MAX_WAITING) return;
    const sessions = (known?.sessions ?? 0) + 1;
    waiting.set(key, { domain, day, policyType, policyKey, policy, result, receivingHost, receivingIp, sessions });
  };

  const flush = async (): Promise<void> => {
    const counts = [...waiting.values()];
    if (counts.length === 0) return;
    waiting = new Map();
    failuresOf = new Map();
    const reports = [...new Map(counts.map(({ domain, day }) => [`${domain} ${day}`, { domain, day }])).values()];
    try {
      await writeInSystemScope(system, clock.now(), async (scope) => {
        await addSessionCounts(scope, counts);
        await planReports(
          scope,
          reports.map((report) => ({ ...report, dueAt: dueAt(report.day, deps.random.uniform()) })),
        );
      });
    } catch (error) {
      deps.log.warn({ error, counts: counts.length }, 'sessions could not be counted for TLS reports');
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await clock.sleep(FLUSH_MS, stopping.signal);
      await flush();
    }
  })();

  return {
    note(held, security, session, use) {
      const { domain } = security;
      const domains = noted.get(held);
      if (domains?.has(domain) === true) return;
      if (domains === undefined) noted.set(held, new Set([domain]));
      else domains.add(domain);
      const count = (asked: boolean) => {
        if (!asked) return;
        const day = clock.now().toISOString().slice(0, 10);
        for (const counted of countedSessions(security, session, use)) add(domain, day, counted);
      };
      const asked = wanted.get(domain);
      if (typeof asked === 'boolean') count(asked);
      else void asked.then(count, () => {});
    },
    flush,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
      await flush();
    },
  };
}

/** Some hours after the end of the day, in UTC. */
export function dueAt(day: string, uniform: number): Date {
  const end = Date.parse(`${day}T00:00:00Z`) + 24 * HOUR;
  return new Date(end + REPORT_AFTER.least + REPORT_AFTER.spread * uniform);
}
