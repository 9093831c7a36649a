// The webhooks of inbound mail, as one process calls them: it claims endpoints for which something is due, and lets each go
// when nothing is. Who dies loses its endpoints by time.
import { claimInboundEndpoints, renewInboundEndpoints } from '#/db/inbound-work.ts';
import type { Channel, Ids } from '#/runtime/ports.ts';
import { createByteBudget } from './byte-budget.ts';
import { InboundCourier, type InboundCourierDeps } from './inbound-courier.ts';
import { createSlots } from './slots.ts';
import { LEASE_MS } from './worker.ts';

/** Endpoints that a process calls at once. */
const MAX_ENDPOINTS = 200;
/** Calls at once; each holds a whole message. */
const MAX_CALLS = 100;
/** Octets of sources of what is being sent; as JSON they take up to three times as much. */
const MAX_BYTES = 100_000_000;
/** Looks by itself this often: for what is due again, and should a wake-up be lost. */
const POLL_MS = 2_000;
/** How long a stopping process waits for answers; what is open then is sent again by the next one. */
const DRAIN_MS = 10_000;

export interface InboundWebhookDeps extends Omit<InboundCourierDeps, 'owner' | 'slots' | 'budget'> {
  readonly ids: Ids;
  readonly channel: Channel;
  readonly leaseMs?: number;
}

export function startInboundWebhooks(deps: InboundWebhookDeps): AsyncDisposable & { readonly held: number } {
  const { system, clock, log } = deps;
  const leaseMs = deps.leaseMs ?? LEASE_MS;
  const owner = deps.ids.next();
  const courierDeps = { ...deps, owner, slots: createSlots(MAX_CALLS), budget: createByteBudget(MAX_BYTES) };
  const stopping = new AbortController();
  const couriers = new Map<string, InboundCourier>();
  let woken = Promise.withResolvers<void>();
  let renewAt = 0;
  const stopListening = deps.channel.on('inbound', () => {
    woken.resolve();
    for (const courier of couriers.values()) courier.wake();
  });

  const renew = async (now: Date): Promise<void> => {
    if (couriers.size === 0 || now.getTime() < renewAt) return;
    renewAt = now.getTime() + leaseMs / 3;
    const held = new Set(await renewInboundEndpoints(system, owner, new Date(now.getTime() + leaseMs)));
    for (const [id, courier] of couriers) if (!held.has(id)) void courier.stop();
  };

  const claim = async (now: Date): Promise<void> => {
    const limit = MAX_ENDPOINTS - couriers.size;
    if (limit <= 0) return;
    const until = new Date(now.getTime() + leaseMs);
    for (const key of await claimInboundEndpoints(system, { owner, now, until, limit })) {
      const courier = new InboundCourier(courierDeps, key);
      couriers.set(key.serverId, courier);
      void courier.done.finally(() => {
        couriers.delete(key.serverId);
        woken.resolve();
      });
    }
  };

  const running = (async () => {
    while (!stopping.signal.aborted) {
      woken = Promise.withResolvers<void>();
      try {
        const now = clock.now();
        await renew(now);
        await claim(now);
      } catch (error) {
        log.error({ error }, 'endpoints of inbound mail could not be claimed; trying again');
      }
      const over = new AbortController();
      const signal = AbortSignal.any([stopping.signal, over.signal]);
      await Promise.race([woken.promise, clock.sleep(Math.min(POLL_MS, leaseMs / 3), signal)]);
      over.abort();
    }
  })();

  return {
    get held() {
      return couriers.size;
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      stopping.abort();
      woken.resolve();
      await running;
      const drained = new AbortController();
      const stopped = Promise.all([...couriers.values()].map((courier) => courier.stop()));
      await Promise.race([stopped, clock.sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
    },
  };
}
