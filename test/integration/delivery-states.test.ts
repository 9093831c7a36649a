// The queue and its records, held to the states in src/domain/delivery/states.ts: random stories are told to both, and
// after each step both must agree, and everything accepted must be accounted for.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBalance } from '#/delivery/balance.ts';
import {
  type ClaimedRecipient,
  claimReady,
  markContentSent,
  promoteDue,
  startAttempts,
  withdraw,
} from '#/db/delivery-queue.ts';
import { loadForDelivery } from '#/db/messages.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { type Decision, doubt, defer, ownTrouble } from '#/delivery/decision.ts';
import { recordSettlements } from '#/delivery/record.ts';
import { after, type InDoubtPolicy, type Occurrence, type RecipientState } from '#/domain/delivery/states.ts';
import { type DeliveryWorld, deliveryWorld } from '../support/delivery-world.ts';
import { FakeClock } from '../support/fake-clock.ts';

const LEASE_MS = 30_000;
const clock = new FakeClock();
let world: DeliveryWorld;

beforeAll(async () => {
  world = await deliveryWorld({
    outbound: { kind: 'relay', relay: { host: '127.0.0.1', port: 1, tls: 'opportunistic', auth: null } },
    clock,
  });
});
afterAll(() => world[Symbol.asyncDispose]());

/** What happens to a recipient, done as a worker does it. */
class Story {
  readonly #messageId: string;
  #owner = world.deps.ids.next();
  #claim: ClaimedRecipient | null = null;
  #attemptId = '';

  constructor(messageId: string) {
    this.#messageId = messageId;
  }

  async tell(what: Occurrence): Promise<void> {
    const claim = this.#claim;
    if (what === 'CLAIMED') return this.#take();
    if (what === 'CANCELLED') {
      await this.#write((scope) => withdraw(scopeOfAccount(scope, world.accountId), this.#messageId));
      return;
    }
    if (claim === null) return;
    const attempt = { ...claim, attemptId: this.#attemptId };
    switch (what) {
      case 'STARTED':
        this.#attemptId = world.deps.ids.next();
        return this.#write((scope) => startAttempts(scope, this.#owner, [{ ...claim, attemptId: this.#attemptId }]));
      case 'CONTENT_MARKED':
        await this.#write((scope) => markContentSent(scope, this.#owner, [attempt]));
        return;
      case 'WORKER_LOST': {
        await clock.advance(LEASE_MS);
        this.#owner = world.deps.ids.next();
        await this.#take();
        return this.#settle(this.#claim?.lostAfterContent === true ? doubt(this.#circumstances()) : returned());
      }
      case 'DELIVERED':
        return this.#settle({ status: 'DELIVERED', response: '250 OK', aftermath: null });
      case 'BOUNCED':
        return this.#settle({
          status: 'BOUNCED',
          type: 'UNKNOWN',
          condemns: false,
          smtpCode: 550,
          enhancedCode: null,
          details: 'No',
        });
      case 'DEFERRED':
        return this.#settle(defer(this.#circumstances(), ownTrouble, 451, '451 Later'));
      case 'DOUBTED':
        return this.#settle(doubt(this.#circumstances()));
      case 'OVERDUE':
        return this.#settle(claim.doubts > 0 ? { status: 'IN_DOUBT', retryAt: null } : { status: 'EXPIRED' });
      case 'RETURNED':
        return this.#settle(returned());
      default:
        return what satisfies never;
    }
  }

  async #take(): Promise<void> {
    const { db } = world.deps;
    const [row] = await db
      .selectFrom('deliveryQueue')
      .select('dueAt')
      .where('messageId', '=', this.#messageId)
      .execute();
    if (this.#claim === null) await clock.advance(Math.max(0, (row?.dueAt.getTime() ?? 0) - clock.now().getTime()));
    await this.#write((scope) => promoteDue(scope, 100));
    const [claim] = await this.#write((scope) =>
      claimReady(scope, { owner: this.#owner, limit: 1, leaseMs: LEASE_MS }),
    );
    this.#claim = claim ?? this.#claim;
  }

  async #settle(decision: Decision): Promise<void> {
    const claim = this.#claim;
    const message =
      claim === null ? undefined : (await loadForDelivery(world.deps.system, [claim])).get(claim.messageId);
    if (claim === null || message === undefined) return;
    const settlement = { claim, message: message.message, attempt: null, lost: null, decision };
    await this.#write((scope) => recordSettlements(scope, world.deps.ids, this.#owner, [settlement]));
    this.#claim = null;
  }

  #circumstances() {
    const far = new Date('2040-01-01T00:00:00Z');
    return { now: clock.now(), failures: 0, doubts: this.#claim?.doubts ?? 0, deliverBy: far, uniform: 0.5 };
  }

  #write<T>(run: Parameters<typeof writeInSystemScope<T>>[2]): Promise<T> {
    return writeInSystemScope(world.deps.system, clock.now(), run);
  }
}

const returned = (): Decision => ({ status: 'RETURNED', dueAt: clock.now() });

async function stateOf(messageId: string): Promise<unknown> {
  const { db } = world.deps;
  const [row] = await db
    .selectFrom('deliveryQueue')
    .select(['doubts', 'leaseOwner', 'attemptId', 'contentSent'])
    .where('messageId', '=', messageId)
    .execute();
  const recipient = await db
    .selectFrom('recipients')
    .select(['status', 'settledAt'])
    .where('messageId', '=', messageId)
    .executeTakeFirstOrThrow();
  const { status } = recipient;
  if (row === undefined) return { kind: 'SETTLED', status, settled: recipient.settledAt !== null };
  const phase = row.contentSent ? 'CONTENT_SENT' : row.attemptId ? 'STARTED' : row.leaseOwner ? 'LEASED' : 'WAITING';
  return { kind: 'OPEN', status, phase, doubts: row.doubts };
}

/** Occurrences that need more than the state allows are left out: a worker never does them. */
const whole: readonly Occurrence[] = ['DELIVERED', 'BOUNCED', 'DEFERRED', 'DOUBTED', 'WORKER_LOST', 'RETURNED'];
const steps = fc
  .array(
    fc.oneof(
      fc
        .constantFrom<Occurrence>('CLAIMED', 'STARTED', 'CONTENT_MARKED', 'CANCELLED', 'OVERDUE', ...whole)
        .map((what) => [what]),
      fc.constantFrom(...whole).map((what): Occurrence[] => ['CLAIMED', 'STARTED', 'CONTENT_MARKED', what]),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.flat());

describe('the queue', () => {
  test.each<InDoubtPolicy>(['RETRY', 'NEVER_TWICE'])(
    'follows the states with %s',
    { timeout: 120_000 },
    async (policy) => {
      await world.whenInDoubt(policy);
      await fc.assert(
        fc.asyncProperty(steps, async (told) => {
          const messageId = await world.send({});
          const story = new Story(messageId);
          let state: RecipientState = { kind: 'OPEN', status: 'QUEUED', phase: 'WAITING', doubts: 0 };
          for (const what of told) {
            const next = after(state, what, policy);
            if (next !== null) await story.tell(what);
            // What cannot happen is tried where a worker could try it: on what is settled, and cancelling what is on the wire.
            else if (state.kind === 'SETTLED' || what === 'CANCELLED') await story.tell(what);
            state = next ?? state;
            expect(await stateOf(messageId)).toEqual(state.kind === 'SETTLED' ? { ...state, settled: true } : state);
            expect((await readBalance(world.deps.system, clock.now())).unaccounted).toBe(0);
          }
          // Out of the way of the next story.
          await world.deps.db.deleteFrom('deliveryQueue').where('messageId', '=', messageId).execute();
          if (state.kind === 'OPEN')
            await world.deps.db
              .updateTable('recipients')
              .set({ status: 'CANCELLED', settledAt: clock.now() })
              .where('messageId', '=', messageId)
              .execute();
        }),
        { numRuns: 40 },
      );
    },
  );

  test('and the balance names what is lost', async () => {
    const messageId = await world.send({});
    const before = await readBalance(world.deps.system, clock.now());
    expect(before.unaccounted).toBe(0);
    await world.deps.db.deleteFrom('deliveryQueue').where('messageId', '=', messageId).execute();
    expect(await readBalance(world.deps.system, clock.now())).toMatchObject({
      accepted: before.accepted,
      open: before.open - 1,
      unaccounted: 1,
    });
  });

  describe('is held to them by the database, where the program is mistaken:', () => {
    const finals = ['DELIVERED', 'BOUNCED', 'EXPIRED', 'CANCELLED', 'SUPPRESSED', 'IN_DOUBT'] as const;
    const open = ['SCHEDULED', 'QUEUED', 'DELAYED'] as const;
    const set = (messageId: string, status: (typeof finals)[number] | (typeof open)[number], settledAt: Date | null) =>
      world.deps.db.updateTable('recipients').set({ status, settledAt }).where('messageId', '=', messageId).execute();

    test('no final state is left, but for what came back', async () => {
      for (const from of finals) {
        const messageId = await world.send({});
        await set(messageId, from, clock.now());
        for (const to of [...open, ...finals]) {
          if (to === from || (to === 'BOUNCED' && (from === 'DELIVERED' || from === 'IN_DOUBT'))) continue;
          const settledAt = open.some((status) => status === to) ? null : clock.now();
          await expect(set(messageId, to, settledAt)).rejects.toThrow(/would leave its final state/);
        }
      }
      const messageId = await world.send({});
      await set(messageId, 'DELIVERED', clock.now());
      await set(messageId, 'BOUNCED', clock.now());
    });

    test('nobody is open and settled', async () => {
      const messageId = await world.send({});
      await expect(set(messageId, 'DELIVERED', null)).rejects.toThrow(/recipients_open_or_settled/);
      await expect(set(messageId, 'DELAYED', clock.now())).rejects.toThrow(/recipients_open_or_settled/);
    });
  });
});
