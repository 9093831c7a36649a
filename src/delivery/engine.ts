// The delivery loop of one process. For each batch of due recipients:
//
//   1. claim      a lease on each, in the database; whoever dies with it loses it by time
//   2. sort out   attempts of dead workers (after their content: IN_DOUBT), what is past its time (EXPIRED)
//   3. start      the attempt's row, before anybody is dialled
//   4. send       composed and signed, outside any transaction; the mark before the final dot, the lease renewed meanwhile
//   5. settle     outcome, event, queue row: in one transaction for many
//
// A crash before 4's mark leaves a recipient due again; after it, in doubt; after 5, done. Nothing is ever only in memory.
// Before each claim, what has waited for its time joins the line (promoteDue).
// 2 to 5 stand in deliver-batch.ts; here are the loop, the leases and the end.
import { type ClaimedRecipient, claimReady, promoteDue, renewLeases } from '#/db/delivery-queue.ts';
import { type SystemScope, writeStatement } from '#/db/scope.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import type { Decision } from './decision.ts';
import { createBatchDelivery } from './deliver-batch.ts';
import { Holdings } from './holdings.ts';
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
/** Joins the line at once: many, since after an outage everything is due. */
const MAX_PROMOTION = 1_000;
/** When nobody says that something is due; retries and schedules are as exact as this. */
const POLL_MS = 500;
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
  const ledger = createLedger({ ...deps, owner });
  const shaper = startShaper({ ...deps, owner });
  const stopping = new AbortController();
  const held = new Holdings();
  /** There was more to claim than room for it. */
  let hungry = false;
  /** Accounts whose mail was left in line, because they hold their share. */
  let passedOver: readonly string[] = [];
  /** Settled when a stopping worker holds nothing any more. */
  const letGo = Promise.withResolvers<void>();
  let wakeUp = Promise.withResolvers<void>();
  const stopListening = deps.channel.on('queue', () => wakeUp.resolve());

  const release = (claim: ClaimedRecipient): void => {
    held.delete(claim);
    if (stopping.signal.aborted && held.size === 0) letGo.resolve();
    const free = MAX_IN_FLIGHT - held.size;
    // What was passed over is worth a look only when it no more would be.
    if (free >= MIN_CLAIM && (hungry || passedOver.some((account) => held.of(account) < SHARE_OF_FREE * free)))
      wakeUp.resolve();
  };

  const deliver = createBatchDelivery({ ...deps, ledger, shaper, stopping: stopping.signal, release });

  /** What fails as a whole before anything was sent is left to its leases: another worker, or this one, takes it again. */
  const handle = async (claims: readonly ClaimedRecipient[]): Promise<void> => {
    try {
      await deliver(claims);
    } catch (error) {
      log.error({ error, recipients: claims.length }, 'a batch could not be prepared; its leases will run out');
      for (const claim of claims) release(claim);
    }
  };

  /** True when there may be more to claim at once. */
  const claim = async (limit: number): Promise<boolean> => {
    try {
      const now = clock.now();
      const passOver = held.overShare(SHARE_OF_FREE * (MAX_IN_FLIGHT - held.size));
      const options = { owner, limit, leaseMs, passOver };
      const claims = await writeStatement(system, now, (scope) => claimReady(scope, options));
      for (const item of claims) held.add(item);
      if (claims.length > 0) void handle(claims);
      hungry = claims.length >= limit;
      passedOver = passOver;
      return claims.length >= limit;
    } catch (error) {
      log.error({ error }, 'the queue could not be read; trying again');
      return false;
    }
  };

  const promote = async (): Promise<boolean> => {
    try {
      const promoted = await writeStatement(system, clock.now(), (scope) => promoteDue(scope, MAX_PROMOTION));
      return promoted >= MAX_PROMOTION;
    } catch (error) {
      log.error({ error }, 'what is due could not be let into the line; trying again');
      return false;
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
        const more = await promote();
        promotedAt = more ? Number.NEGATIVE_INFINITY : clock.monotonic();
      }
      const free = MAX_IN_FLIGHT - held.size;
      // Half of what is free: a claim may be all of one account.
      const limit = Math.min(free, MAX_CLAIM, Math.max(MIN_CLAIM, Math.ceil(free / 2)));
      claimed = limit >= MIN_CLAIM || held.size === 0 ? await claim(limit) : false;
      if (claimed) continue;
      if (limit < MIN_CLAIM) hungry = true;
      const waiting = new AbortController();
      await Promise.race([wakeUp.promise, clock.sleep(POLL_MS, AbortSignal.any([stopping.signal, waiting.signal]))]);
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
