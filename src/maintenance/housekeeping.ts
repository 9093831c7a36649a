// What must be done from time to time, by one node for all: partitions ahead, expired ones dropped, keys, sessions and wrong
// guesses forgotten, secrets sealed anew, old hours of counters deleted.
import { deleteStrayContents } from '#/db/arrivals.ts';
import { deleteOldHours, deleteOldTags } from '#/db/counters.ts';
import { forgetGuesses } from '#/db/guess-counters.ts';
import { readBalance } from '#/db/delivery-balance.ts';
import { deleteExpiredKeys } from '#/db/idempotency-keys.ts';
import { forgetOldDevices } from '#/db/known-devices.ts';
import { deleteExpiredLinks } from '#/db/one-time-links.ts';
import { dropExpiredPartitions, ensurePartitions, listRetentions } from '#/db/partitions.ts';
import { deleteExpiredChallenges } from '#/db/second-factor-challenges.ts';
import { deleteEndedSessions } from '#/db/sessions.ts';
import { KNOWN_DEVICE_DAYS, minutesAfter, SESSION_IDLE_MINUTES } from '#/domain/identity/rules.ts';
import { guessRules } from '#/domain/identity/throttle.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { deleteOldReports } from '#/db/domain-reports.ts';
import { forgetExpiredPolicies } from '#/db/mta-sts-policies.ts';
import { forgetOldReports } from '#/db/tls-sessions.ts';
import { deleteOldImports } from '#/db/suppression-imports.ts';
import { deleteRemovableMails } from '#/db/returned-mails.ts';
import { firstIdAt } from '#/domain/ids.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { IMPORT_KEPT_DAYS } from '#/domain/suppression-file.ts';
import { firstHourKept, TAGS_KEPT_DAYS } from '#/domain/statistics.ts';
import type { Clock, Log, SecretBox } from '#/runtime/ports.ts';
import { countNew } from './counting.ts';
import { resealSecrets } from './reseal-secrets.ts';

const EVERY_MS = 10 * 60_000;
/** Keys deleted by one statement. */
const KEYS = 10_000;
/** Notifications of up to half a megabyte each. */
const MAILS = 1_000;
/** Longer than storing a mail takes, piece by piece. */
const STRAY_MS = 24 * 3_600_000;
const REPORTS = 500;
const COUNTERS = 10_000;
const POLICIES = 1_000;
/** Those that wait hold files of up to 20 MB. */
const IMPORTS = 10;
/** A link to send one to has ended long before. */
const UNSENT_IMPORT_DAYS = 1;
/** A TLS report that is due is sent or given up within two days. */
const UNSENT_REPORT_DAYS = 7;
/** A year and a month: what is shown is compared with the year before. */
const REPORT_DAYS = 400;

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly log: Log;
  readonly secrets: SecretBox;
}

export function startHousekeeping(deps: Deps): AsyncDisposable {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await keepHouse(deps).catch((error: unknown) =>
        deps.log.error({ error }, 'housekeeping failed; it is tried again'),
      );
      await deps.clock.sleep(EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** Safe on any number of nodes: each step takes its own lock, or does what two may do at once. */
export async function keepHouse({ system, clock, log, secrets }: Deps): Promise<void> {
  const { db } = system;
  const now = clock.now();
  await ensurePartitions(db, now, [RETENTION_DAYS.default, ...(await listRetentions(db))]);
  // What is counted outlives what it was counted from: so that first.
  await countNew({ system, clock }, { holder: null });
  const { dropped, waiting } = await dropExpiredPartitions(db, now);
  if (waiting.length > 0)
    log.warn({ buckets: waiting }, 'expired partitions are not counted yet, or being read: they go the next time');
  if (dropped.length > 0) log.info({ buckets: dropped }, 'retention dropped partitions');
  const { unaccounted } = await writeInSystemScope(system, now, readBalance);
  if (unaccounted !== 0) log.error({ unaccounted }, 'recipients are neither settled nor in the queue');
  await resealSecrets({ system, secrets, log });
  await forgetEndedSessions(system, now);
  while ((await deleteExpiredKeys(system, now, KEYS)) === KEYS);
  while ((await deleteRemovableMails(system, now, MAILS)) === MAILS);
  await deleteStrayContents(system, firstIdAt(now.getTime() - STRAY_MS));
  while ((await forgetExpiredPolicies(system, now, POLICIES)) === POLICIES);
  const unsent = new Date(now.getTime() - UNSENT_REPORT_DAYS * 86_400_000);
  while ((await forgetOldReports(system, unsent, REPORTS)) === REPORTS);
  const before = new Date(now.getTime() - REPORT_DAYS * 86_400_000);
  while ((await deleteOldReports(system, before, REPORTS)) >= REPORTS);
  await forgetOldImports(system, now);
  await forgetOldCounters(system, now);
}

async function forgetOldImports(system: SystemScope, now: Date): Promise<void> {
  const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
  const old = { unsent: daysAgo(UNSENT_IMPORT_DAYS), before: daysAgo(IMPORT_KEPT_DAYS), limit: IMPORTS };
  while ((await deleteOldImports(system, old)) === IMPORTS);
}

async function forgetOldCounters(system: SystemScope, now: Date): Promise<void> {
  while ((await deleteOldHours(system, firstHourKept(now), COUNTERS)) === COUNTERS);
  const tagsBefore = new Date(now.getTime() - TAGS_KEPT_DAYS * 86_400_000);
  while ((await deleteOldTags(system, tagsBefore, COUNTERS)) === COUNTERS);
}

async function forgetEndedSessions({ db }: SystemScope, now: Date): Promise<void> {
  await deleteEndedSessions(db, now, minutesAfter(now, -SESSION_IDLE_MINUTES));
  await deleteExpiredChallenges(db, now);
  await deleteExpiredLinks(db, now);
  await forgetOldDevices(db, minutesAfter(now, -KNOWN_DEVICE_DAYS * 24 * 60));
  const longest = Math.max(...Object.values(guessRules).map((rule) => rule.forgetAfterSeconds));
  await forgetGuesses(db, minutesAfter(now, -longest / 60));
}
