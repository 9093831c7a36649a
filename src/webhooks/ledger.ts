// What the couriers of a process write, gathered: what comes while a transaction is under way shares the next one.
import { createBatcher } from '#/db/batcher.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import {
  type DeliveryOutcome,
  type HealthChange,
  type Intake,
  recordHealth,
  recordIntakes,
  recordOutcomes,
} from '#/db/webhook-work.ts';
import type { Clock, Log } from '#/runtime/ports.ts';

/** Items of one transaction: enough to make a commit cheap, few enough that it takes milliseconds. */
const BATCH = 200;
const RETRY_MS = { first: 50, most: 2_000 } as const;

export interface Settlement {
  readonly outcome: DeliveryOutcome | null;
  readonly health: HealthChange | null;
}

export interface Ledger {
  /** Durable before it resolves: rows and cursor. False: the lease is lost, and nothing was written. */
  take(intake: Intake): Promise<boolean>;
  /** Tries until the database has it. */
  settle(settlement: Settlement): Promise<void>;
  /** Resolves when all is written. What comes later is not: who comes next sends it again. */
  close(): Promise<void>;
  readonly closed: boolean;
}

export function createLedger(deps: {
  readonly system: SystemScope;
  readonly owner: string;
  readonly clock: Clock;
  readonly log: Log;
}): Ledger {
  const { system, owner, clock } = deps;

  const intakes = createBatcher<Intake, boolean>(BATCH, async (items) => {
    const held = await writeInSystemScope(system, clock.now(), (scope) => recordIntakes(scope, owner, items));
    return items.map((item) => held.has(item));
  });

  const settlements = createBatcher<Settlement, undefined>(BATCH, async (items) => {
    const outcomes = items.flatMap(({ outcome }) => (outcome === null ? [] : [outcome]));
    // The newest of each endpoint says all; what its owner is to be told must not get lost among them.
    const health = new Map<string, HealthChange>();
    for (const { health: change } of items) {
      if (change === null) continue;
      health.set(change.id, { ...change, notice: change.notice ?? health.get(change.id)?.notice ?? null });
    }
    for (let pause: number = RETRY_MS.first; ; pause = Math.min(pause * 2, RETRY_MS.most)) {
      try {
        await writeInSystemScope(system, clock.now(), async (scope) => {
          // The webhook before its deliveries, as commands that resume or delete one: else they could wait for each other.
          await recordHealth(scope, owner, [...health.values()]);
          await recordOutcomes(scope, outcomes);
        });
        return items.map(() => undefined);
      } catch (error) {
        deps.log.error({ error, outcomes: items.length }, 'outcomes of webhooks could not be recorded; trying again');
        await clock.sleep(pause);
      }
    }
  });

  let closed = false;
  return {
    get closed() {
      return closed;
    },
    take: (intake) => (closed ? Promise.resolve(false) : intakes.add(intake)),
    settle: (settlement) => (closed ? Promise.resolve() : settlements.add(settlement)),
    async close() {
      closed = true;
      await intakes.idle();
      await settlements.idle();
    },
  };
}
