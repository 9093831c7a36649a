// What delivery must have written before and after it speaks to the world. Three batched writers, each one transaction
// at a time: starts (before the dial), marks (before the final dot), settlements (after).
import { insertAttempts, type NewAttempt } from '#/db/delivery-attempts.ts';
import { type ClaimedRecipient, dequeue, markContentSent, startAttempts } from '#/db/delivery-queue.ts';
import { type SystemScope, writeInSystemScope, writeStatement } from '#/db/scope.ts';
import type { Channel, Clock, Ids, Log } from '#/runtime/ports.ts';
import { createBatcher } from '#/db/batcher.ts';
import { recordSettlements, type Settlement } from './record.ts';

/** Rows of one transaction: enough to make a commit cheap, few enough that it takes milliseconds. */
const BATCH = 200;
/**
 * Under load outcomes wait this long for others: nobody waits for them but the next claim, and a transaction of sixty costs
 * little more than one of twenty. No longer, for what is sent and not yet recorded is in doubt when we die.
 */
const GATHER_MS = 25;
const RETRY_MS = { first: 50, most: 2_000 } as const;

export interface Ledger {
  /** Durable before it resolves: the attempt exists before anybody is dialled. */
  start(attempts: readonly NewAttempt[]): Promise<void>;
  /** Durable before it resolves. False: the lease is lost, and the final dot must not be written. */
  markContentSent(claim: ClaimedRecipient, attemptId: string): Promise<boolean>;
  /** Forgets a row whose message is gone. */
  drop(claim: ClaimedRecipient): Promise<void>;
  /** Tries until the database takes it: an outcome that is known must not be forgotten. */
  settle(settlement: Settlement): Promise<void>;
  idle(): Promise<void>;
}

interface Deps {
  readonly system: SystemScope;
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly channel: Channel;
  /** Many are being sent: outcomes may wait for each other. */
  crowded(): boolean;
}

export function createLedger(deps: Deps): Ledger {
  const { system, owner, clock } = deps;

  const marks = createBatcher<{ claim: ClaimedRecipient; attemptId: string }, boolean>(BATCH, async (items) => {
    const held = await writeStatement(system, clock.now(), (scope) =>
      markContentSent(
        scope,
        owner,
        items.map(({ claim, attemptId }) => ({ ...claim, attemptId })),
      ),
    );
    return items.map(({ attemptId }) => held.has(attemptId));
  });

  const settlements = createBatcher<Settlement, undefined>(
    BATCH,
    async (items) => {
      for (let pause: number = RETRY_MS.first; ; pause = Math.min(pause * 2, RETRY_MS.most)) {
        try {
          await writeInSystemScope(system, clock.now(), (scope) => recordSettlements(scope, deps.ids, owner, items));
          break;
        } catch (error) {
          deps.log.error({ error, outcomes: items.length }, 'outcomes could not be recorded; trying again');
          await clock.sleep(pause);
        }
      }
      deps.channel.nudge('events');
      return items.map(() => undefined);
    },
    () => (deps.crowded() ? clock.sleep(GATHER_MS) : null),
  );

  const starts = createBatcher<readonly NewAttempt[], undefined>(BATCH, async (groups) => {
    const attempts = groups.flat();
    await writeInSystemScope(system, clock.now(), async (scope) => {
      const started = attempts.map((attempt) => ({ ...attempt, attemptId: attempt.id }));
      await Promise.all([insertAttempts(scope, attempts), startAttempts(scope, owner, started)]);
    });
    return groups.map(() => undefined);
  });

  return {
    start: (attempts) => starts.add(attempts),
    markContentSent: (claim, attemptId) => marks.add({ claim, attemptId }),
    settle: (settlement) => settlements.add(settlement),
    async drop(claim) {
      await writeStatement(system, clock.now(), (scope) => dequeue(scope, owner, [claim])).catch((error: unknown) =>
        deps.log.warn({ error }, 'a row could not be dropped; its lease will run out'),
      );
    },
    async idle() {
      await starts.idle();
      await marks.idle();
      await settlements.idle();
    },
  };
}
