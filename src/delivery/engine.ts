// The delivery loop of one process. For each batch of due recipients:
//
//   1. claim      a lease on each, in the database; whoever dies with it loses it by time
//   2. sort out   attempts of dead workers (after their content: IN_DOUBT), what is past its time (EXPIRED)
//   3. start      the attempt's row, before anybody is dialled
//   4. send       composed and signed, outside any transaction; the mark before the final dot, the lease renewed meanwhile
//   5. settle     outcome, event, queue row: in one transaction for many
//
// A crash before 4's mark leaves a recipient due again; after it, in doubt; after 5, done. Nothing is ever only in memory.
// Before each claim, what has waited for its time, or for the end of a pause, joins the line (promoteDue, releaseParked).
// 2 to 5 stand in deliver-batch.ts; here are the loop, the leases and the end.
import { type ClaimedRecipient, claimReady, promoteDue, renewLeases } from '#/db/delivery-queue.ts';
import { closePauses, releaseParked } from '#/db/parked-mail.ts';
import { type SystemScope, writeStatement } from '#/db/scope.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import type { Decision } from './decision.ts';
import { createBatchDelivery } from './deliver-batch.ts';
import { Holdings } from './holdings.ts';
import { watchPausedPlaces } from './paused-places.ts';
import { createLedger } from './ledger.ts';
import type { Outbound } from './outbound.ts';
import { startShaper } from './shaper.ts';
import type { ReturnPaths, SigningKeys } from './signing.ts';
import type { Transports } from './transports.ts';

/** Recipients that one process holds at once: they and their content are what it keeps in memory. */
const MAX_IN_FLIGHT = 600;
/**
 * One account may hold so many times what is free: alone 400, two accounts 240 each, and always some room for the mail of
 * somebody else (dynamic thresholds, Choudhury and Hahne 1998).
 */
const SHARE_OF_FREE = 2;
/** A claim smaller than this waits until more room is free, so that claims stay batches under load. */
const MIN_CLAIM = 50;
const MAX_CLAIM = 200;
/** From so many held on outcomes are gathered. */
const CROWD = 100;
/** Joins the line at once: many, since after an outage everything is due. */
const MAX_PROMOTION = 1_000;
/** When nobody says that something is due; retries and schedules are as exact as this. */
const POLL_MS = 500;
/**
 * Looking behind those who hold their share for somebody else reads thousands of rows (CLAIM_WINDOW). Beside one flood it
 * finds nobody nearly always: when it has not, it is done again only on news of the queue, at most this often, or by the
 * poll. Without it every second claim of a flood was such a look, a quarter of the database's work.
 */
const LOOK_MS = 100;
/** Far above the difference of two nodes' clocks. */
export const LEASE_MS = 30_000;
/** How long a stopping process waits for what is on the wire. */
const DRAIN_MS = 10_000;

export interface EngineDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly outbound: Outbound;
  readonly transports: Transports;
  /** Null: the operator's relay signs. */
  readonly signing: SigningKeys | null;
  /** Null: all mail travels under its From address. */
  readonly returnPaths: ReturnPaths | null;
  readonly keepTranscripts: boolean;
  readonly leaseMs?: number;
  /** Of the pauses between attempts; 1 unless told. */
  readonly retryScale?: number;
  /** Told of each outcome once it is recorded. */
  onSettled?(status: Decision['status']): void;
}

export interface DeliveryEngine extends AsyncDisposable {
  /** Recipients held. */
  readonly inFlight: number;
}

export function startDelivery(deps: EngineDeps): DeliveryEngine {
  const { clock, system, log } = deps;
  const leaseMs = deps.leaseMs ?? LEASE_MS;
  const owner = deps.ids.next();
  const shaper = startShaper({ ...deps, owner });
  const paused = watchPausedPlaces(deps);
  const stopping = new AbortController();
  const held = new Holdings();
  const ledger = createLedger({ ...deps, owner, crowded: () => held.size >= CROWD && !stopping.signal.aborted });
  /** There was more to claim than room for it. */
  let hungry = false;
  /** Accounts whose mail was left in line, because they hold their share. */
  let passedOver: readonly string[] = [];
  /** Settled when a stopping worker holds nothing any more. */
  const letGo = Promise.withResolvers<void>();
  let wakeUp = Promise.withResolvers<void>();
  /** Since the last look past those who hold their share, something new may be in line. */
  let news = true;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const stopListening = deps.channel.on('queue', () => {
    news = true;
    wakeUp.resolve();
  });

  const release = (claim: ClaimedRecipient): void => {
    held.delete(claim);
    if (stopping.signal.aborted && held.size === 0) letGo.resolve();
    const free = MAX_IN_FLIGHT - held.size;
    // What was passed over is worth a look only when it no more would be.
    if (free >= MIN_CLAIM && (hungry || passedOver.some((account) => held.of(account) < SHARE_OF_FREE * free)))
      wakeUp.resolve();
  };

  const deliver = createBatchDelivery({ ...deps, ledger, shaper, paused, stopping: stopping.signal, release });

  /** What fails as a whole before anything was sent is left to its leases: another worker, or this one, takes it again. */
  const handle = async (claims: readonly ClaimedRecipient[]): Promise<void> => {
    try {
      await deliver(claims);
    } catch (error) {
      log.error({ error, recipients: claims.length }, 'a batch could not be prepared; its leases will run out');
      for (const claim of claims) release(claim);
    }
  };

  const worthALook = (): boolean => {
    const since = clock.monotonic() - lookedAt;
    return since >= (news ? LOOK_MS : POLL_MS);
  };

  /** True when there may be more to claim at once. */
  const claim = async (limit: number): Promise<boolean> => {
    try {
      const now = clock.now();
      const passOver = held.overShare(SHARE_OF_FREE * (MAX_IN_FLIGHT - held.size));
      passedOver = passOver;
      hungry = false;
      if (passOver.length > 0) {
        if (!worthALook()) return false;
        news = false;
        lookedAt = clock.monotonic();
      }
      const options = { owner, limit, leaseMs, passOver };
      const claims = await writeStatement(system, now, (scope) => claimReady(scope, options));
      for (const item of claims) held.add(item);
      if (claims.length > 0) void handle(claims);
      hungry = claims.length >= limit;
      // Who finds somebody may find more of them.
      if (passOver.length > 0 && claims.length > 0) news = true;
      return hungry;
    } catch (error) {
      log.error({ error }, 'the queue could not be read; trying again');
      return false;
    }
  };

  /** How many. */
  const promote = async (): Promise<number> => {
    try {
      const now = clock.now();
      const { released, anyEnded } = await writeStatement(system, now, (scope) => releaseParked(scope, MAX_PROMOTION));
      if (anyEnded && released < MAX_PROMOTION) await writeStatement(system, now, closePauses);
      const promoted = await writeStatement(system, now, (scope) => promoteDue(scope, MAX_PROMOTION));
      return released + promoted;
    } catch (error) {
      log.error({ error }, 'what is due could not be let into the line; trying again');
      return 0;
    }
  };

  /** Claims until the room is used up or nothing is due; then waits to be woken. */
  const run = async (): Promise<void> => {
    let claimed = false;
    let promotedAt = Number.NEGATIVE_INFINITY;
    while (!stopping.signal.aborted) {
      wakeUp = Promise.withResolvers<void>();
      // In the midst of a full line there is no hurry to make it longer.
      if (!claimed || clock.monotonic() - promotedAt >= POLL_MS) {
        const promoted = await promote();
        if (promoted > 0) news = true;
        promotedAt = promoted >= MAX_PROMOTION ? Number.NEGATIVE_INFINITY : clock.monotonic();
      }
      const free = MAX_IN_FLIGHT - held.size;
      // Half of what is free: a claim may be all of one account.
      const limit = Math.min(free, MAX_CLAIM, Math.max(MIN_CLAIM, Math.ceil(free / 2)));
      claimed = limit >= MIN_CLAIM || held.size === 0 ? await claim(limit) : false;
      if (claimed) continue;
      if (limit < MIN_CLAIM) hungry = true;
      const waiting = new AbortController();
      const pause = news && passedOver.length > 0 ? LOOK_MS : POLL_MS;
      await Promise.race([wakeUp.promise, clock.sleep(pause, AbortSignal.any([stopping.signal, waiting.signal]))]);
      waiting.abort();
    }
  };

  const renew = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(leaseMs / 3, stopping.signal);
      if (held.size === 0) continue;
      await writeStatement(system, clock.now(), (scope) => renewLeases(scope, owner, leaseMs, [...held])).catch(
        (error: unknown) => log.warn({ error }, 'leases could not be renewed'),
      );
    }
  };

  const running = run();
  const renewing = renew();

  return {
    get inFlight() {
      return held.size;
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      paused[Symbol.dispose]();
      stopping.abort();
      await Promise.all([running, renewing]);
      const drained = new AbortController();
      if (held.size > 0) await Promise.race([letGo.promise, clock.sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
      deps.outbound.close();
      await ledger.idle();
      await shaper[Symbol.asyncDispose]();
    },
  };
}
