import { describe, expect, test } from 'vitest';
import { bucketAt, bucketOfMessage } from '#/domain/retention.ts';
import { makeToken } from '#/domain/token.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import { createLog } from '#/runtime/log.ts';
import { systemRandom } from '#/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

describe('ids', () => {
  test.each([['next'], ['nextInBucket']] as const)('%s grows within a millisecond, and is a UUIDv7', (method) => {
    const clock = new FakeClock();
    const ids = createIds(clock, systemRandom);
    let last = '';
    for (let count = 0; count < 100_000; count++) {
      const id = method === 'next' ? ids.next() : ids.nextInBucket(2_977);
      if (id <= last) throw new Error(`${id} after ${last}`);
      last = id;
    }
    expect(last).toMatch(UUID_V7);
    expect(timeOf(last)).toBe(clock.now().getTime());
  });

  test('a clock set back does not turn them back', () => {
    let now = new Date('2026-01-05T12:00:00Z');
    const ids = createIds({ ...systemClock, now: () => now }, systemRandom);
    const before = ids.next();
    now = new Date('2026-01-05T11:59:00Z');
    expect(ids.next() > before).toBe(true);
  });

  test('two processes do not meet', () => {
    const clock = new FakeClock();
    const both = [createIds(clock, systemRandom), createIds(clock, systemRandom)];
    const seen = new Set(Array.from({ length: 20_000 }, (_, index) => both[index % 2]?.next()));
    expect(seen.size).toBe(20_000);
  });

  test.each([7, 45, 365])('carry the bucket of %i days', (days) => {
    const bucket = bucketAt(systemClock.now(), days);
    expect(bucketOfMessage(createIds(systemClock, systemRandom).nextInBucket(bucket))).toBe(bucket);
  });
});

describe('clock', () => {
  test('sleep ends early without rejecting', async () => {
    const controller = new AbortController();
    const sleep = systemClock.sleep(60_000, controller.signal);
    controller.abort();
    await sleep;
    await systemClock.sleep(60_000, controller.signal);
  });

  test('sleep is longer than a timer can be', async () => {
    const controller = new AbortController();
    let woken = false;
    const sleep = systemClock.sleep(2 ** 40, controller.signal).then(() => {
      woken = true;
    });
    await systemClock.sleep(20);
    expect(woken).toBe(false);
    controller.abort();
    await sleep;
  });

  test('the one of tests wakes in order of time', async () => {
    const clock = new FakeClock();
    const woken: number[] = [];
    for (const ms of [30, 10, 20]) void clock.sleep(ms).then(() => woken.push(ms));
    void (async () => {
      for (;;) {
        await clock.sleep(7);
        woken.push(7);
      }
    })();
    await clock.advance(25);
    expect(woken).toEqual([7, 10, 7, 20, 7]);
    expect(clock.monotonic()).toBe(25);
  });
});

describe('log', () => {
  const logged = (write: (log: ReturnType<typeof createLog>) => void, level: 'debug' | 'warn' = 'debug') => {
    const lines: string[] = [];
    write(createLog({ level, destination: { write: (line) => void lines.push(line) } }));
    return lines;
  };
  const token = makeToken('vra_', (length) => systemRandom.bytes(length));

  test('no token leaves, wherever it stands', () => {
    const [line = ''] = logged((log) =>
      log
        .child({ child: token })
        .error(
          { url: `/graphql?x=${token}`, deep: { list: [token] }, error: new Error(`bad ${token}`) },
          `for ${token}`,
        ),
    );
    expect(line).not.toContain(token.slice(4, 20));
    expect(JSON.parse(line)).toMatchObject({ level: 'error', msg: 'for vra_…', url: '/graphql?x=vra_…' });
  });

  test('the level holds', () => {
    expect(logged((log) => log.info({}, 'quiet'), 'warn')).toEqual([]);
  });
});
