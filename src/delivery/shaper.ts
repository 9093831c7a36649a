// Keeps the paces of a worker's sites in step with the database: asks for permits, learns of measures, and takes measures
// after what receivers reply (src/domain/delivery/reply-rules.ts).
import { addMeasure, lendPermits, listOpenMeasures, type MeasureRow, returnPermits } from '#/db/shaping.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { partLeft } from '#/domain/delivery/measures.ts';
import { type Signal, signalOf } from '#/domain/delivery/reply-rules.ts';
import { siteOf } from '#/domain/delivery/sites.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import { createBatcher } from '#/db/batcher.ts';
import { type AttemptFacts, replyText } from './decision.ts';
import type { Destination } from './route.ts';
import { SitePace } from './site-pace.ts';

/** There is one source of mail until there are pools of addresses. */
export const SOURCE = 'default';
const RENEW_MS = 2_000;
/** Permits outlive some renewals that fail, and not the worker. */
const PERMIT_MS = 10_000;
/** A site that has had nothing for so long is forgotten. */
const IDLE_MS = 60_000;
/** Many connections hear the same at once: that is one reason to slow down, not many. */
const ONCE_MS = 10_000;
/** Half the pace each time, down to this. */
const LEAST_PART = 1 / 64;
const MAX_CAUSE = 500;

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly owner: string;
}

export interface Shaper extends AsyncDisposable {
  /** Null: not shaped. Resolves when the site has its permits. */
  paceOf(destination: Destination): Promise<SitePace | null>;
  observe(pace: SitePace, accountId: string, facts: AttemptFacts): void;
}

export function startShaper(deps: Deps): Shaper {
  const { system, clock, log, owner } = deps;
  const paces = new Map<string, SitePace>();
  const stopping = new AbortController();
  let measures: readonly MeasureRow[] = [];
  const recent = new Map<string, number>();

  const learn = async (): Promise<void> => {
    measures = await listOpenMeasures(system.db, clock.now());
    const bySite = Map.groupBy(measures, ({ site }) => site);
    for (const pace of paces.values()) pace.measures = bySite.get(pace.site.name) ?? [];
  };

  const ask = async (asking: readonly SitePace[]): Promise<void> => {
    const until = clock.monotonic() + PERMIT_MS;
    const requests = asking.map((pace) => {
      const limit = pace.pace().connections;
      // Half of it at first: another worker asks in the same moment more often than not.
      const wanted = pace.permits === null ? Math.ceil(limit / 2) : limit;
      return { site: pace.site.name, wanted, open: pace.opened, limit };
    });
    const options = { source: SOURCE, owner, expiresAt: new Date(clock.now().getTime() + PERMIT_MS) };
    const lent = await writeInSystemScope(system, clock.now(), (scope) => lendPermits(scope, options, requests));
    for (const pace of asking) pace.grant(lent.get(pace.site.name) ?? 0, until);
  };

  const firstAsks = createBatcher<SitePace, undefined>(500, async (asking) => {
    await ask([...new Set(asking)].filter(({ permits }) => permits === null));
    return asking.map(() => undefined);
  });

  const renew = async (): Promise<void> => {
    await learn();
    const idle = [...paces.values()].filter(
      (pace) => pace.load === 0 && pace.opened === 0 && clock.monotonic() - pace.lastUsedAt >= IDLE_MS,
    );
    for (const { site } of idle) paces.delete(site.name);
    const names = idle.map(({ site }) => site.name);
    if (idle.length > 0) {
      await writeInSystemScope(system, clock.now(), (scope) => returnPermits(scope, owner, names));
    }
    if (paces.size > 0) await ask([...paces.values()]);
    for (const [key, at] of recent) if (clock.monotonic() - at >= ONCE_MS) recent.delete(key);
  };

  const attend = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await renew().catch((error: unknown) => log.warn({ error }, 'permits could not be renewed; sending carefully'));
      await clock.sleep(RENEW_MS, stopping.signal);
    }
  };
  const attending = attend();
  // The staff has said something.
  const stopListening = deps.channel.on('config', () => void learn().catch(() => {}));

  const take = async (pace: SitePace, accountId: string, signal: Signal, cause: string): Promise<void> => {
    const now = clock.now();
    const forAccountId = signal.of === 'ACCOUNT' ? accountId : null;
    const measure: MeasureRow = {
      id: deps.ids.next(),
      source: SOURCE,
      site: pace.site.name,
      forAccountId,
      kind: signal.measure,
      factor: Math.max(LEAST_PART, partLeft(pace.measures, now) / 2),
      connections: null,
      messagesPerSecond: null,
      rule: signal.rule,
      cause: cause.slice(0, MAX_CAUSE).toWellFormed(),
      madeBy: null,
      startedAt: now,
      until: new Date(now.getTime() + signal.minutes * 60_000),
      endedAt: null,
    };
    pace.measures = [...pace.measures, measure];
    const within = new Date(now.getTime() - ONCE_MS);
    await writeInSystemScope(system, now, (scope) => addMeasure(scope, measure, within));
    log.warn({ site: pace.site.name, rule: signal.rule, measure: signal.measure }, 'a receiver asks for another pace');
  };

  return {
    async paceOf(destination) {
      if (destination.transport === 'relay') return null;
      const site = siteOf(destination.hosts);
      let pace = paces.get(site.name);
      if (pace === undefined) {
        pace = new SitePace(site, deps);
        pace.measures = measures.filter(({ site: name }) => name === site.name);
        paces.set(site.name, pace);
      }
      pace.lastUsedAt = clock.monotonic();
      if (pace.permits === null) await firstAsks.add(pace);
      return pace;
    },
    observe(pace, accountId, { reply, phase }) {
      // A refusal of STARTTLS says nothing about the pace, and only mail that demands TLS hears of it.
      if (reply === null || (phase === 'starttls' && reply.code !== 421)) return;
      const before = ['connect', 'greeting', 'ehlo', 'starttls', 'auth'].includes(phase);
      const signal = signalOf(pace.site.provider?.name ?? null, reply, before ? 'connection' : 'transaction');
      if (signal === null) return;
      const key = `${pace.site.name}/${signal.of === 'ACCOUNT' ? accountId : ''}/${signal.rule}`;
      if (clock.monotonic() - (recent.get(key) ?? Number.NEGATIVE_INFINITY) < ONCE_MS) return;
      recent.set(key, clock.monotonic());
      void take(pace, accountId, signal, replyText(reply)).catch((error: unknown) =>
        log.error({ error, site: pace.site.name }, 'a measure could not be written down; it holds here alone'),
      );
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      await attending;
      await firstAsks.idle();
      const names = [...paces.keys()];
      await writeInSystemScope(system, clock.now(), (scope) => returnPermits(scope, owner, names)).catch(() => {});
    },
  };
}
