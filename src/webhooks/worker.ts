// The webhooks of one process: endpoints are shared out among all processes that have the role, each held under a lease by
// one of them. Who dies loses its endpoints by time; who comes gets its share from those that have more than theirs.
import type { SystemScope } from '#/db/scope.ts';
import {
  beat,
  claimWebhooks,
  countCallable,
  forgetWorkers,
  releaseWebhooks,
  renewWebhooks,
} from '#/db/webhook-work.ts';
import type { WebhookRow } from '#/db/webhooks.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Verdict } from '#/domain/webhooks/verdict.ts';
import type { EventFeed } from '#/events/feed.ts';
import type { Channel, Clock, HttpClient, Ids, Log, Random, SecretBox } from '#/runtime/ports.ts';
import { createBodies } from './bodies.ts';
import { Courier } from './courier.ts';
import { createLedger } from './ledger.ts';
import { createSlots } from './slots.ts';
import type { CourierDeps } from './stock.ts';

/** Far above the difference of two nodes' clocks. */
export const LEASE_MS = 30_000;
/** Endpoints claimed at once: each begins with two reads of the log. */
const CLAIM = 100;
/** How long a stopping process waits for answers; what is open then is sent again by the next one. */
const DRAIN_MS = 10_000;
const DAY_MS = 24 * 3_600_000;

export interface WebhookDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly feed: EventFeed;
  readonly http: HttpClient;
  readonly secrets: SecretBox;
  readonly leaseMs?: number;
  /** Calls at once. */
  readonly maxCalls?: number;
  onCall?(verdict: Verdict, latencyMs: number): void;
}

export interface WebhookWorker extends AsyncDisposable {
  /** Endpoints held. */
  readonly held: number;
  /** Calls under way. */
  readonly calling: number;
}

export function startWebhooks(deps: WebhookDeps): WebhookWorker {
  const { clock, system, log } = deps;
  const leaseMs = deps.leaseMs ?? LEASE_MS;
  const owner = deps.ids.next();
  const ledger = createLedger({ ...deps, owner });
  const slots = createSlots(deps.maxCalls);
  const courierDeps: CourierDeps = { ...deps, owner, ledger, slots, bodies: createBodies(system.db) };
  const stopping = new AbortController();
  const couriers = new Map<string, Courier>();
  let wakeUp = Promise.withResolvers<void>();
  const stopListening = deps.channel.on('webhooks', () => wakeUp.resolve());

  const employ = (row: WebhookRow): void => {
    if (couriers.has(row.id)) return;
    try {
      couriers.set(row.id, new Courier(courierDeps, row));
    } catch (error) {
      log.error({ error, webhookId: encodeId('webhook', row.id) }, 'the secrets of a webhook cannot be opened');
    }
  };

  /** Each is free for others once its last call is settled. */
  const dismiss = async (ids: readonly string[]): Promise<void> => {
    await Promise.all(
      ids.map(async (id) => {
        const courier = couriers.get(id);
        couriers.delete(id);
        await courier?.stop();
        if (!ledger.closed) await releaseWebhooks(system, owner, [id]);
      }),
    );
  };

  const renew = async (until: Date): Promise<void> => {
    const held = new Map((await renewWebhooks(system, owner, until)).map(({ id, revision }) => [id, revision]));
    for (const [id, courier] of couriers) {
      const revision = held.get(id);
      if (revision !== undefined && revision !== courier.revision) courier.reload();
    }
    const lost = [...couriers.keys()].filter((id) => !held.has(id));
    if (lost.length > 0) background(dismiss(lost));
  };

  /** True when there may be more to claim at once. */
  const share = async (now: Date, until: Date): Promise<boolean> => {
    const alive = await beat(system, owner, now, until);
    const fair = Math.ceil((await countCallable(system)) / alive);
    const surplus = couriers.size - fair;
    // Less than that is not worth a pause in somebody's events.
    if (surplus > Math.max(1, fair / 10)) {
      const idle = [...couriers].toSorted(([, a], [, b]) => a.calling - b.calling).slice(0, surplus);
      background(dismiss(idle.map(([id]) => id)));
      return false;
    }
    const limit = Math.min(fair - couriers.size, CLAIM);
    if (limit <= 0) return false;
    const claimed = await claimWebhooks(system, { owner, now, until, limit });
    for (const row of claimed) employ(row);
    return claimed.length === limit;
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      wakeUp = Promise.withResolvers<void>();
      try {
        const now = clock.now();
        const until = new Date(now.getTime() + leaseMs);
        await renew(until);
        if (await share(now, until)) continue;
      } catch (error) {
        log.error({ error }, 'the leases of webhooks could not be seen to; trying again');
      }
      const waiting = new AbortController();
      const signal = AbortSignal.any([stopping.signal, waiting.signal]);
      await Promise.race([wakeUp.promise, clock.sleep(leaseMs / 3, signal)]);
      waiting.abort();
    }
  })();

  const leaving = new Set<Promise<void>>();
  function background(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => log.warn({ error }, 'a webhook could not be let go; its lease will run out'))
      .finally(() => leaving.delete(done));
    leaving.add(done);
  }

  return {
    get held() {
      return couriers.size;
    },
    get calling() {
      return slots.inUse;
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      wakeUp.resolve();
      await running;
      const held = [...couriers.keys()];
      background(dismiss(held));
      const drained = new AbortController();
      await Promise.race([Promise.all(leaving), clock.sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
      await ledger.close();
      try {
        await releaseWebhooks(system, owner, held);
        await forgetWorkers(system, owner, new Date(clock.now().getTime() - DAY_MS));
      } catch (error) {
        log.warn({ error }, 'webhooks could not be let go; their leases will run out');
      }
    },
  };
}
