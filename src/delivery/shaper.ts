// Keeps the paces of a worker's sites in step with the database: asks for permits, learns of measures, and takes measures
// after what receivers reply (src/domain/delivery/reply-rules.ts).
import { releaseHeld } from '#/db/held-mail.ts';
import { addMeasure, lendPermits, listOpenMeasures, type MeasureRow, returnPermits } from '#/db/shaping.ts';
import { type SystemScope, writeInSystemScope, writeStatement } from '#/db/scope.ts';
import { partLeft } from '#/domain/delivery/measures.ts';
import { type Signal, signalOf } from '#/domain/delivery/reply-rules.ts';
import { type Site, siteOf, usualLimits } from '#/domain/delivery/sites.ts';
import { EVERY_SOURCE } from '#/domain/delivery/transports.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import { createBatcher } from '#/db/batcher.ts';
import { type AttemptFacts, isBeforeMail, replyText } from './decision.ts';
import type { Destination } from './route.ts';
import { SitePace } from './site-pace.ts';

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
/** Mail that is let go in one statement, and statements in a row: permits are not to run out meanwhile. */
const RELEASE = { rows: 1_000, statements: 10 } as const;
/** For so long it is let go again: another worker may still be giving some back. */
const LIFTED_MS = 10_000;

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly owner: string;
}

interface OwnMeasure {
  readonly measure: MeasureRow;
  readonly isWritten: boolean;
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
  /** Taken here; they hold from the first moment, and are gone when a look that began after they were written has ended. */
  const own = new Map<string, OwnMeasure>();
  const lifted = new Map<string, number>();

  const look = async (): Promise<void> => {
    // What is written while this look is on may be missing in what it sees.
    const seen = [...own.values()].flatMap(({ measure, isWritten }) => (isWritten ? [measure] : []));
    const written = await listOpenMeasures(system.db, clock.now());
    for (const { id } of seen) own.delete(id);
    const known = new Set(written.map(({ id }) => id));
    const isEnded = ({ id, until }: MeasureRow) =>
      !known.has(id) && !own.has(id) && (until === null || until > clock.now());
    const before = new Set(measures.map(({ id }) => id));
    const isNewLimit = ({ id, kind }: MeasureRow) => kind === 'LIMITS' && !before.has(id);
    for (const { site } of [...[...measures, ...seen].filter(isEnded), ...written.filter(isNewLimit)])
      lifted.set(site, clock.monotonic() + LIFTED_MS);
    measures = [...written, ...[...own.values()].flatMap(({ measure }) => (known.has(measure.id) ? [] : [measure]))];
    const bySite = Map.groupBy(measures, ({ site }) => site);
    for (const pace of paces.values()) pace.measures = measuresOf(pace, bySite.get(pace.site.name) ?? []);
  };
  /** What was held at sites of which the staff has ended a measure, or said other limits. */
  const letGo = async (): Promise<void> => {
    for (const [site, until] of lifted) {
      if (clock.monotonic() >= until) lifted.delete(site);
      for (let round = 1; round <= RELEASE.statements; round++) {
        const released = await writeStatement(system, clock.now(), (scope) => releaseHeld(scope, site, RELEASE.rows));
        if (released > 0) deps.channel.nudge('queue');
        if (released < RELEASE.rows) break;
        if (round === RELEASE.statements) lifted.set(site, clock.monotonic() + LIFTED_MS);
      }
    }
  };
  // One after the other: an older look that ends last would bring back what the staff has ended since.
  const looks = createBatcher<null, undefined>(1_000, async (asked) => {
    await look();
    await letGo();
    return asked.map(() => undefined);
  });
  const learn = () => looks.add(null);

  const ask = async (asking: readonly SitePace[]): Promise<void> => {
    const until = clock.monotonic() + PERMIT_MS;
    const expiresAt = new Date(clock.now().getTime() + PERMIT_MS);
    const bySource = Map.groupBy(asking, ({ source }) => source);
    await writeInSystemScope(system, clock.now(), async (scope) => {
      for (const [source, ofSource] of bySource) {
        const lent = await lendPermits(scope, { source, owner, expiresAt }, ofSource.map(requestOf));
        for (const pace of ofSource) pace.grant(lent.get(pace.site.name) ?? 0, until);
      }
    });
  };

  /** A worker that has just begun knows what holds before it sends anything. */
  const informed = learn().catch((error: unknown) => log.warn({ error }, 'measures could not be read at first'));

  const firstAsks = createBatcher<SitePace, undefined>(500, async (asking) => {
    await informed;
    await ask([...new Set(asking)].filter(({ permits }) => permits === null));
    return asking.map(() => undefined);
  });

  const renew = async (): Promise<void> => {
    await learn();
    const idle = [...paces.values()].filter(
      (pace) => pace.load === 0 && pace.opened === 0 && clock.monotonic() - pace.lastUsedAt >= IDLE_MS,
    );
    for (const pace of idle) paces.delete(keyOf(pace));
    if (idle.length > 0) {
      await writeInSystemScope(system, clock.now(), (scope) => returnPermits(scope, owner, idle.map(placeOf)));
    }
    if (paces.size > 0) await ask([...paces.values()]);
    for (const { measure } of own.values())
      if (measure.until !== null && measure.until <= clock.now()) own.delete(measure.id);
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
      source: pace.source,
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
    own.set(measure.id, { measure, isWritten: false });
    const within = new Date(now.getTime() - ONCE_MS);
    await writeInSystemScope(system, now, (scope) => addMeasure(scope, measure, within));
    own.set(measure.id, { measure, isWritten: true });
    log.warn({ site: pace.site.name, rule: signal.rule, measure: signal.measure }, 'a receiver asks for another pace');
  };

  return {
    async paceOf(destination) {
      const site = shapedSiteOf(destination);
      if (site === null) return null;
      const source = destination.source.key;
      let pace = paces.get(keyOf({ source, site }));
      if (pace === undefined) {
        pace = new SitePace(site, { ...deps, source });
        pace.measures = measuresOf(
          pace,
          measures.filter(({ site: name }) => name === site.name),
        );
        paces.set(keyOf(pace), pace);
      }
      // The staff may have given a relay other limits.
      pace.site = site;
      pace.lastUsedAt = clock.monotonic();
      if (pace.permits === null) await firstAsks.add(pace);
      return pace;
    },
    observe(pace, accountId, { reply, phase }) {
      // A refusal of STARTTLS says nothing about the pace, and only mail that demands TLS hears of it.
      if (reply === null || (phase === 'starttls' && reply.code !== 421)) return;
      const before = isBeforeMail(phase);
      // That a relay lets nobody in is for the health of its transport to say.
      if (before && pace.site.isRelay === true) return;
      const signal = signalOf(pace.site.provider?.name ?? null, reply, before ? 'connection' : 'transaction');
      if (signal === null) return;
      const key = `${keyOf(pace)}/${signal.of === 'ACCOUNT' ? accountId : ''}/${signal.rule}`;
      if (clock.monotonic() - (recent.get(key) ?? Number.NEGATIVE_INFINITY) < ONCE_MS) return;
      recent.set(key, clock.monotonic());
      void take(pace, accountId, signal, replyText(reply)).catch((error: unknown) =>
        log.error({ error, site: pace.site.name }, 'a measure could not be written down; it holds here alone'),
      );
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      await Promise.all([attending, informed]);
      await Promise.all([firstAsks.idle(), looks.idle()]);
      const places = [...paces.values()].map(placeOf);
      await writeInSystemScope(system, clock.now(), (scope) => returnPermits(scope, owner, places)).catch(() => {});
    },
  };
}

const keyOf = ({ source, site }: Pick<SitePace, 'source' | 'site'>): string => `${source} ${site.name}`;
const placeOf = ({ source, site }: SitePace) => ({ source, site: site.name });

/** Receivers count by the address that mail comes from; the staff may speak of all at once. */
function measuresOf({ source }: SitePace, ofSite: readonly MeasureRow[]): readonly MeasureRow[] {
  return ofSite.filter((measure) => measure.source === source || measure.source === EVERY_SOURCE);
}

/** Null: not shaped. The relay of the settings is the operator's own; one of a transport has the limits that were given. */
function shapedSiteOf({ transport, hosts, limits, via }: Destination): Site | null {
  if (transport === 'mx') return siteOf(hosts);
  if (limits === null || via === null) return null;
  const relayLimits = { ...usualLimits, ...limits, connectionsPerMinute: limits.connections * 60 };
  return { name: via.subject, provider: null, limits: relayLimits, isRelay: true };
}

function requestOf(pace: SitePace) {
  const limit = pace.pace().connections;
  // Half of it at first and while nothing is under way: another worker asks in the same moment more often than not.
  const wanted = pace.permits === null || (pace.load === 0 && pace.opened === 0) ? Math.ceil(limit / 2) : limit;
  return { site: pace.site.name, wanted, open: pace.opened, limit };
}
