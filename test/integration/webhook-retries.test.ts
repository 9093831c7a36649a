// What becomes of events when an endpoint does not take them: tried again, given up, paused, sent in order when it is back.
// Time is moved by hand; calls and database are real.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tellOwners } from '#/maintenance/webhook-notices.ts';
import type { Clock } from '#/runtime/ports.ts';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { startSink, type WebhookSink } from '../support/webhook-sink.ts';
import { until, type WebhookWorld, webhookWorld } from '../support/webhook-world.ts';
import { atMost } from '../support/time-taken.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let clock: FakeClock;
let world: WebhookWorld;
let sink: WebhookSink;

beforeEach(async () => {
  clock = new FakeClock();
  world = await webhookWorld({ clock });
  sink = await startSink();
});
afterEach(async () => {
  await sink[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const got = (count: number) => until(() => sink.received.length >= count, `${count} calls`);
const only = async (id: string) => (await world.deliveries(id))[0];
/** Lets time pass in small steps, each followed by a moment in which calls are made; until `done`, which must come. */
async function pass(ms: number, step: number, done?: () => boolean | Promise<boolean>): Promise<void> {
  for (let gone = 0; gone < ms; gone += step) {
    if ((await done?.()) === true) return;
    await turn(clock, step, () => world.calling);
  }
  // Whoever was late for its time sleeps until the clock goes on.
  const late = async () => (await done?.()) !== false || (await turn(clock, step, () => world.calling), false);
  await until(late, 'what time was to bring');
}
/** A webhook that is just being worked on is passed over, and told of at the next look. */
const tell = () =>
  until(async () => (await tellOwners({ system: world.w.system, deps: world.w.deps })) > 0, 'something to tell');
/** Until the outcome of all calls so far is on record. */
const settled = (id: string) =>
  until(async () => {
    const sum = (await world.deliveries(id)).reduce((total, { attempts }) => total + attempts, 0);
    return sum >= sink.received.length;
  }, 'all outcomes');

describe('an event that is not taken', () => {
  test('is tried again with growing pauses, under the same id and a new time, until it is', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer({ status: 500, body: 'broken' });
    const [event] = await world.happen(1);
    await got(1);
    await settled(id);
    const first = await only(id);
    expect(first).toMatchObject({
      state: 'PENDING',
      attempts: 1,
      lastStatus: 500,
      lastError: 'answered 500',
      responseHead: 'broken',
    });
    const pause = Date.parse(first.nextAttemptAt) - clock.now().getTime();
    expect(pause).toBeGreaterThanOrEqual(4_000);
    expect(pause).toBeLessThanOrEqual(6_000);
    await clock.advance(pause - 100);
    expect(sink.received).toHaveLength(1);
    await clock.advance(200);
    await got(2);
    await settled(id);
    await pass(40_000, 1_000, () => sink.received.length >= 3);
    sink.answer(204);
    await settled(id);
    await pass(3 * MINUTE, 5_000, () => sink.received.length >= 4);
    await until(async () => (await only(id)).state === 'SUCCEEDED', 'success');
    expect(await only(id)).toMatchObject({
      attempts: 4,
      lastStatus: 204,
      lastError: null,
      nextAttemptAt: null,
      eventId: event,
    });
    expect(new Set(sink.received.map((call) => call.id))).toEqual(new Set([event]));
    expect(new Set(sink.received.map((call) => call.body)).size).toBe(1);
    const times = sink.received.map((call) => Number(call.headers['webhook-timestamp']));
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
    expect(new Set(times).size).toBe(4);
  });

  test('with Retry-After is left alone for as long, and so is the whole endpoint', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer({ status: 429, headers: { 'retry-after': '900' } });
    await world.happen(1);
    await got(1);
    await settled(id);
    sink.answer(204);
    await world.happen(3);
    await pass(14 * MINUTE, 30_000);
    expect(sink.received).toHaveLength(1);
    await pass(3 * MINUTE, 10_000, () => sink.received.length === 5);
    expect(sink.received).toHaveLength(5);
  });

  test.each([301, 302, 307, 400, 401, 404, 422])(
    'with %i has failed at once, for all to see; the next ones go on',
    async (status) => {
      await world.start();
      const { id } = await world.create(sink.url);
      sink.answer(status);
      const [bad] = await world.happen(1);
      await got(1);
      sink.answer(200);
      const [good] = await world.happen(1);
      await until(
        async () => (await world.deliveries(id)).filter(({ state }) => state !== 'PENDING').length === 2,
        'ends',
      );
      const [first, second] = await world.deliveries(id);
      expect(first).toMatchObject({
        eventId: bad,
        state: 'FAILED',
        attempts: 1,
        lastStatus: status,
        nextAttemptAt: null,
      });
      expect(first.lastError).toContain(String(status));
      expect(second).toMatchObject({ eventId: good, state: 'SUCCEEDED' });
      await clock.advance(2 * DAY);
      expect(sink.received).toHaveLength(2);

      // By hand it goes again.
      sink.answer(200);
      expect(await world.mutate('retryWebhookDelivery', { id: second.id })).toMatchObject({ code: 'CONFLICT' });
      expect(await world.mutate('retryWebhookDelivery', { id: first.id })).toMatchObject({ state: 'PENDING' });
      await until(async () => (await world.deliveries(id))[0].state === 'SUCCEEDED', 'success');
      expect(sink.received.at(-1)?.id).toBe(bad);
    },
  );

  test('for a day, while others are, has failed in the end', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer(500);
    const [bad] = await world.happen(1);
    await got(1);
    sink.answer(({ id: event }) => (event === bad ? 500 : 200));
    let others = 0;
    await pass(26 * HOUR, 10 * MINUTE, async () => {
      if (others++ % 6 === 0) await world.happen(1);
      return (await only(id)).state === 'FAILED';
    });
    const failed = await only(id);
    expect(failed).toMatchObject({ eventId: bad, state: 'FAILED', lastStatus: 500 });
    expect(failed.attempts).toBeGreaterThan(9);
    expect(await world.look(id)).toMatchObject({ enabled: true, health: 'HEALTHY' });
    // The last of them may have happened a moment ago.
    await pass(HOUR, MINUTE, async () =>
      (await world.deliveries(id)).slice(1).every(({ state }) => state === 'SUCCEEDED'),
    );
  });
});

describe('an endpoint', () => {
  test('that is gone (410) is turned off, and its owner told', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer(410);
    await world.happen(1);
    await until(async () => (await world.look(id)).health === 'PAUSED', 'the end');
    expect(await world.look(id)).toMatchObject({ enabled: false, health: 'PAUSED' });
    expect(await only(id)).toMatchObject({ state: 'FAILED', lastStatus: 410 });
    const missed = await world.happen(2);
    // The log shows what is in it once older transactions have ended.
    await world.w.logIsComplete();
    await clock.advance(DAY);
    expect(sink.received).toHaveLength(1);
    await tell();
    expect(world.w.mails.map(({ to, subject }) => [to, subject])).toEqual([
      ['owner@a1.example', 'A webhook of Main is turned off'],
    ]);
    sink.answer(200);
    await world.mutate('updateWebhook', { id, enabled: true });
    await got(3);
    expect(sink.received.slice(1).map((call) => call.id)).toEqual(missed);
  });

  test('that fails is probed and not flooded; back, it gets all that happened meanwhile, in order', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer(503);
    const missed = [...(await world.happen(10))];
    while (missed.length < 100) {
      await pass(MINUTE, MINUTE);
      missed.push(...(await world.happen(10)));
    }
    await pass(110 * MINUTE, MINUTE);
    expect((await world.look(id)).health).toBe('FAILING');
    // Two hours of a hundred events that nobody takes.
    expect(sink.received.length).toBeLessThan(50);
    const before = sink.received.length;
    sink.answer(200);
    await pass(5 * HOUR, 10 * MINUTE, () => sink.received.length >= before + 100);
    const after = sink.received.slice(before).map((call) => call.id);
    expect(new Set(after)).toEqual(new Set(missed));
    // Those that were not tried before come in the order of the log.
    const tried = new Set(sink.received.slice(0, before).map((call) => call.id));
    const fresh = missed.filter((event) => !tried.has(event));
    expect(after.filter((event) => !tried.has(event))).toEqual(fresh);
    expect(fresh.length).toBeGreaterThan(50);
    await until(async () => (await world.look(id)).health === 'HEALTHY', 'health');
  });

  test('that takes nothing for a day is paused, its owner told; resumed, it gets everything in order', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    sink.answer('reset');
    const events = [...(await world.happen(8))];
    await pass(30 * HOUR, 10 * MINUTE, async () => (await world.look(id)).health === 'PAUSED');
    expect(await world.look(id)).toMatchObject({ health: 'PAUSED', enabled: true });
    const calls = sink.received.length;
    expect(calls).toBeLessThan(60);
    events.push(...(await world.happen(60)));
    // The log shows what is in it once older transactions have ended.
    await world.w.logIsComplete();
    await clock.advance(3 * DAY);
    expect(sink.received).toHaveLength(calls);
    const waiting = await world.deliveries(id);
    expect(waiting.every(({ state, nextAttemptAt }) => state === 'PENDING' && nextAttemptAt === null)).toBe(true);

    await tell();
    await tellOwners({ system: world.w.system, deps: world.w.deps });
    expect(world.w.mails.map(({ subject }) => subject)).toEqual(['A webhook of Main is paused']);
    expect(world.w.mails[0]?.text).toContain('enabled: true');

    sink.answer(200);
    expect(await world.mutate('updateWebhook', { id, enabled: true })).toMatchObject({ health: 'HEALTHY' });
    await got(calls + events.length);
    expect(sink.received.slice(calls).map((call) => call.id)).toEqual(events);
    await until(async () => (await world.deliveries(id)).every(({ state }) => state === 'SUCCEEDED'), 'all successes');
  });

  test('with one event that it cannot bear gets all others meanwhile', async () => {
    await world.start();
    const { id } = await world.create(sink.url);
    let bad: readonly string[] = [];
    sink.answer(({ id: event }) => (bad.includes(event) ? 500 : 200));
    bad = await world.happen(4);
    await pass(20 * MINUTE, 30_000);
    const [good] = await world.happen(1);
    await pass(40 * MINUTE, 30_000, () => sink.received.some((call) => call.id === good));
    expect(sink.received.some((call) => call.id === good)).toBe(true);
    const states = new Map((await world.deliveries(id)).map(({ eventId, state }) => [eventId, state]));
    expect(bad.map((event) => states.get(event))).toEqual(['PENDING', 'PENDING', 'PENDING', 'PENDING']);
  });
});

describe('several processes', () => {
  test('share the endpoints, and each event is sent by one of them', async () => {
    const sinks = await Promise.all(Array.from({ length: 8 }, () => startSink()));
    const first = await world.start();
    for (const { url } of sinks) await world.create(url);
    await until(() => first.held === 8, 'all held');
    const second = await world.start();
    await pass(MINUTE, 1_000, () => second.held > 0 && first.held + second.held === 8);
    expect(first.held).toBeLessThanOrEqual(5);
    expect(second.held).toBeGreaterThanOrEqual(3);
    const events = await world.happen(20);
    await until(() => sinks.every(({ received }) => received.length >= 20), 'all calls');
    for (const { received } of sinks) expect(received.map((call) => call.id).sort()).toEqual([...events].sort());
    for (const one of sinks) await one[Symbol.asyncDispose]();
  });

  test('take over from one that dies in the middle of a call: nothing is lost', async () => {
    const mortal = mortalClock(clock);
    const dying = await world.start({ clock: mortal.clock, timeoutMs: 60_000 });
    const { id } = await world.create(sink.url);
    await until(() => dying.held === 1, 'the lease');
    sink.answer('hang');
    const events = [...(await world.happen(5))];
    await got(1);
    // Its timers never fire again: it renews no lease and settles nothing.
    mortal.die();
    events.push(...(await world.happen(5)));
    const heir = await world.start();
    await clock.advance(20_000);
    expect(heir.held).toBe(0);
    sink.answer(200);
    await pass(MINUTE, 1_000, () => heir.held === 1);
    await until(async () => {
      const all = await world.deliveries(id);
      return all.length === 10 && all.every(({ state }) => state === 'SUCCEEDED');
    }, 'all successes');
    expect(new Set(sink.received.map((call) => call.id))).toEqual(new Set(events));
    expect(dying.calling).toBe(1);
    await sink[Symbol.asyncDispose]();
    sink = await startSink();
  });

  test('that stop let go of their endpoints at once, with every outcome on record', async () => {
    const first = await world.start();
    const { id } = await world.create(sink.url);
    await world.happen(30);
    await got(5);
    await first[Symbol.asyncDispose]();
    const second = await world.start();
    await until(() => second.held === 1, 'the lease');
    await until(
      async () => (await world.deliveries(id)).filter(({ state }) => state === 'SUCCEEDED').length === 30,
      'success',
    );
    // What was answered before the first one stopped is not sent again.
    expect(sink.received).toHaveLength(30);
  });
});

describe('isolation', () => {
  test('endpoints that hang do not delay one that works', async () => {
    const worker = await world.start({ timeoutMs: 30_000 });
    const dead = await Promise.all(Array.from({ length: 15 }, () => startSink()));
    for (const { url } of dead) await world.create(url);
    await world.create(sink.url);
    await until(() => worker.held === 16, 'all held');
    for (const one of dead) one.answer('hang');
    const started = performance.now();
    await world.happen(200);
    await got(200);
    expect(performance.now() - started).toBeLessThan(atMost(2_500));
    // An endpoint that never answered has but one call at a time.
    for (const one of dead) expect(one.mostOpen).toBeLessThanOrEqual(2);
    for (const one of dead) await one[Symbol.asyncDispose]();
  });

  test('nor do those that answered at once and then all begin to trickle', async () => {
    const worker = await world.start({ timeoutMs: 5_000, maxCalls: 100 });
    // With twenty calls each they would have all that the process makes, and more.
    const slow = await Promise.all(Array.from({ length: 10 }, () => startSink()));
    for (const { url } of slow) await world.create(url);
    await world.create(sink.url);
    await until(() => worker.held === 11, 'all held');
    await world.happen(40);
    for (const one of [...slow, sink]) await until(() => one.received.length === 40, 'forty at once');
    for (const one of slow) one.answer('drip');
    await world.happen(60);
    const started = performance.now();
    await got(100);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(worker.calling).toBeGreaterThanOrEqual(75);
    expect(worker.calling).toBeLessThanOrEqual(85);
    for (const one of slow) await one[Symbol.asyncDispose]();
  });
});

/** Time that stops for whoever has this clock. */
function mortalClock(living: FakeClock): { readonly clock: Clock; die(): void } {
  const state: { frozenAt: Date | null } = { frozenAt: null };
  return {
    clock: {
      now: () => state.frozenAt ?? living.now(),
      monotonic: () => living.monotonic(),
      async sleep(ms, signal) {
        if (signal?.aborted === true) return;
        const aborted = new Promise<void>((resolve) =>
          signal?.addEventListener('abort', () => resolve(), { once: true }),
        );
        const slept = living.sleep(ms, signal).then(() => (state.frozenAt === null ? undefined : aborted));
        await Promise.race([slept, aborted]);
      },
    },
    die() {
      state.frozenAt = living.now();
    },
  };
}
