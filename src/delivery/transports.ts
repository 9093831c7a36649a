// The transports as one worker knows them: what the operator made and chose, read again when told so; which relays and
// sources are in order, agreed with all other workers; and which of them a recipient's mail takes.
//
// A member is in use, or out. It goes out when the evidence says so (domain/delivery/transport-health.ts). Then one worker at
// a time looks whether it works again, with one mail; the pauses between looks grow until one succeeds. Mail that nothing
// can take goes back to the queue untried.
import { createBatcher } from '#/db/batcher.ts';
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import { type SystemScope, writeInSystemScope, writeStatement } from '#/db/scope.ts';
import {
  announcePresence,
  type HealthRow,
  listHealth,
  listPresent,
  recordFailure,
  recordRecovery,
  takeLook,
} from '#/db/transport-health.ts';
import { listChoices, listTransports } from '#/db/transports.ts';
import { Evidence, levelAtFailure, LOOK_MS, pauseBeforeLook } from '#/domain/delivery/transport-health.ts';
import { memberFor } from '#/domain/delivery/transports.ts';
import type { Channel, Clock, Ids, Log, Random, SecretBox } from '#/runtime/ports.ts';
import { viasOf } from './vias.ts';
import type { SourceMember, Via, Way } from './way.ts';

const LOOK_AROUND_MS = 2_000;
/** Addresses come and go seldom; a node that is gone is known after three times this. */
const PRESENCE_MS = 10_000;
/** Another node has the address: its turn may be at once. */
const ELSEWHERE_MS = 1_000;
/** What comes back with a member comes back one after the other, over half the time that it was out, within these. */
const SPREAD_MS = { least: 10_000, most: 300_000 } as const;
const MAX_CAUSE = 500;

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly secrets: SecretBox;
  maySendFrom(address: string): Promise<boolean>;
}

export interface Transports extends AsyncDisposable {
  withWays<T extends { readonly claim: ClaimedRecipient }>(
    items: readonly T[],
  ): Promise<readonly (T & { readonly way: Way })[]>;
  /** A connection to `site` stands: if it is new, a member that was out is back. */
  worked(via: Via, site: string, isNew: boolean): void;
  /** None could be had, or it was of no use. */
  failed(via: Via, site: string, cause: string): void;
  isOut(via: Via): boolean;
}

const AS_SET: Way = { kind: 'open', via: null };

export function startTransports(deps: Deps): Transports {
  const { system, clock, random, log } = deps;
  const node = deps.ids.next();
  const stopping = new AbortController();
  const evidence = new Evidence();
  let vias: ReadonlyMap<string, readonly Via[]> = new Map();
  let chosen: ReadonlyMap<string, string> = new Map();
  let health = new Map<string, HealthRow>();
  /** Subjects whose state here is newer than the database's. */
  const writing = new Set<string>();
  /** This worker looks whether they work again. */
  const looking = new Set<string>();
  let here: ReadonlySet<string> = new Set();
  let somewhere: ReadonlySet<string> = new Set();
  let announced: ReadonlySet<string> = new Set();
  let announcedAt = Number.NEGATIVE_INFINITY;

  const learnHealth = async (): Promise<void> => {
    const rows = await listHealth(system.db);
    const next = new Map(rows.map((row) => [row.subject, row]));
    for (const subject of writing) {
      const own = health.get(subject);
      if (own !== undefined) next.set(subject, own);
    }
    health = next;
  };

  /** Says which addresses of the sources this node has: when there are others, and again and again. */
  const announce = async (sources: readonly SourceMember[]): Promise<void> => {
    const addresses = [...new Set(sources.flatMap(({ source }) => addressesOf(source)))];
    const now = clock.monotonic();
    const isKnown = addresses.every((address) => announced.has(address));
    if (addresses.length === 0 || (isKnown && now - announcedAt < PRESENCE_MS)) return;
    const found = await Promise.all(addresses.map((address) => deps.maySendFrom(address)));
    const present = addresses.filter((_, index) => found[index]);
    const until = new Date(clock.now().getTime() + 3 * PRESENCE_MS);
    await writeInSystemScope(system, clock.now(), (scope) => announcePresence(scope, node, present, until));
    [here, announced, announcedAt] = [new Set(present), new Set(addresses), now];
  };

  /** All of it changes at once: mail must not find a transport of which nothing else is known yet. */
  const learn = async (): Promise<void> => {
    const [rows, choices] = await Promise.all([listTransports(system.db), listChoices(system.db)]);
    const next = new Map(rows.map((row) => [row.transport.id, viasOf(row, deps)]));
    if (next.size > 0) {
      await announce([...next.values()].flat().filter((via) => via.kind === 'MX'));
      [somewhere] = await Promise.all([listPresent(system.db, clock.now()), learnHealth()]);
    }
    vias = next;
    chosen = new Map(choices.map(({ serverId, streamId, transportId }) => [streamId ?? serverId, transportId]));
  };

  /** One at a time; who asks while one is under way gets the next. */
  const readings = createBatcher<null, undefined>(Number.POSITIVE_INFINITY, async (asked) => {
    await learn();
    return asked.map(() => undefined);
  });
  const relearn = () => readings.add(null);

  // Mail must not leave by another way than was chosen, only because this worker has not read it yet.
  const known = Promise.withResolvers<void>();
  const attend = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await relearn().then(
        () => known.resolve(),
        (error: unknown) => log.warn({ error }, 'transports could not be read; they stay as they are known'),
      );
      await clock.sleep(LOOK_AROUND_MS, stopping.signal);
    }
    known.resolve();
  };
  const attending = attend();
  const stopListening = deps.channel.on('config', () => void relearn().catch(() => {}));

  const isOut = ({ subject }: Via): boolean => (health.get(subject)?.outSince ?? null) !== null;

  /** Written down for all; where the database is away, it holds here until it is read again. */
  const write = (subject: string, what: () => Promise<unknown>): void => {
    writing.add(subject);
    void what()
      .catch((error: unknown) => log.error({ error, subject }, 'the state of a transport could not be written down'))
      .finally(() => writing.delete(subject));
  };

  const goOut = ({ subject, transport }: Via, cause: string): void => {
    const before = health.get(subject) ?? null;
    const now = clock.now();
    const level = levelAtFailure(before, now);
    const lookAt = new Date(now.getTime() + pauseBeforeLook(level, random.uniform()));
    const said = cause.slice(0, MAX_CAUSE).toWellFormed();
    const row: HealthRow = { subject, outSince: before?.outSince ?? now, lookAt, level, cause: said, changedAt: now };
    health.set(subject, row);
    evidence.forget(subject);
    log.warn({ transport, subject, cause: said, lookAt }, 'a part of a transport is out of order');
    write(subject, () => writeStatement(system, now, (scope) => recordFailure(scope, row, before?.changedAt ?? null)));
  };

  const comeBack = ({ subject, transport }: Via): void => {
    const before = health.get(subject);
    if (before === undefined) return;
    const now = clock.now();
    health.set(subject, { ...before, outSince: null, lookAt: null, changedAt: now });
    looking.delete(subject);
    log.info({ transport, subject }, 'a part of a transport is in order again');
    write(subject, () => writeStatement(system, now, (scope) => recordRecovery(scope, subject)));
  };

  /** The first that is due for a look, if this worker is the one to look. */
  const takeDue = async (members: readonly Via[]): Promise<Via | null> => {
    const now = clock.now();
    const due = members.find((via) => isOut(via) && (health.get(via.subject)?.lookAt ?? now) <= now);
    const row = due === undefined ? undefined : health.get(due.subject);
    if (due === undefined || row === undefined) return null;
    const until = new Date(now.getTime() + LOOK_MS);
    // Before the first wait: the next in this batch finds it taken.
    health.set(due.subject, { ...row, lookAt: until });
    const taken = await writeStatement(system, now, (scope) => takeLook(scope, due.subject, until)).catch(() => false);
    if (taken) looking.add(due.subject);
    return taken ? due : null;
  };

  const closed = (members: readonly Via[]): Way => {
    const now = clock.now().getTime();
    const rows = members.flatMap(({ subject }) => health.get(subject) ?? []);
    const looks = rows.flatMap(({ lookAt }) => lookAt?.getTime() ?? []);
    const next = looks.length === 0 ? now + PRESENCE_MS : Math.max(Math.min(...looks), now + ELSEWHERE_MS);
    const since = Math.min(now, ...rows.flatMap(({ outSince }) => outSince?.getTime() ?? []));
    const spread = Math.min(Math.max((now - since) / 2, SPREAD_MS.least), SPREAD_MS.most);
    return { kind: 'closed', until: new Date(next + spread * random.uniform()) };
  };

  const wayThrough = async (members: readonly Via[], claim: ClaimedRecipient): Promise<Way> => {
    const isHere = (via: Via) => via.kind === 'RELAY' || addressesOf(via.source).every((address) => here.has(address));
    const due = await takeDue(members.filter(isHere));
    if (due !== null) return { kind: 'open', via: due };
    const usable = members.filter(
      (via) =>
        !isOut(via) &&
        (isHere(via) || (via.kind === 'MX' && addressesOf(via.source).every((one) => somewhere.has(one)))),
    );
    const [first] = usable;
    if (first === undefined) return closed(members);
    // Recipients of one message go through one relay, so that they may share a transaction.
    const via = memberFor(usable, first.kind === 'RELAY' ? claim.messageId : claim.address.toLowerCase());
    if (via === null) return closed(members);
    if (isHere(via)) return { kind: 'open', via };
    return { kind: 'closed', until: new Date(clock.now().getTime() + ELSEWHERE_MS * (0.5 + random.uniform())) };
  };

  /** What was chosen and is not known yet is waited for: mail never falls back to the way of the settings. */
  const wayOf = (claim: ClaimedRecipient): Way | Promise<Way> => {
    const id = chosen.get(claim.streamId) ?? chosen.get(claim.serverId);
    return id === undefined || claim.sandboxed ? AS_SET : wayThrough(vias.get(id) ?? [], claim);
  };

  return {
    async withWays(items) {
      await known.promise;
      if (chosen.size === 0) return items.map((item) => ({ ...item, way: AS_SET }));
      const ways = [];
      for (const item of items) ways.push({ ...item, way: await wayOf(item.claim) });
      return ways;
    },
    worked(via, site, isNew) {
      evidence.worked(via.subject, site, clock.monotonic());
      if (isNew && isOut(via)) comeBack(via);
    },
    failed(via, site, cause) {
      const { subject } = via;
      if (isOut(via)) {
        if (looking.delete(subject)) goOut(via, cause);
        return;
      }
      const now = clock.monotonic();
      const out = via.kind === 'RELAY' ? evidence.relayFailed(subject, now) : evidence.sourceFailed(subject, site, now);
      if (out) goOut(via, cause);
    },
    isOut,
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      await attending;
      await readings.idle();
    },
  };
}

function addressesOf({ ipv4, ipv6 }: SourceMember['source']): string[] {
  return [ipv4, ipv6].filter((address) => address !== null);
}
