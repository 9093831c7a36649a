// That counters are the log, summed up: whoever counts, whoever dies over it, and whatever retention has dropped.
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { HOURS_KEPT_DAYS } from '#/domain/statistics.ts';
import type { EventType } from '#/events/catalogue.ts';
import { countBatch, countNew, startCounting } from '#/maintenance/counting.ts';
import { keepHouse } from '#/maintenance/housekeeping.ts';
import { systemClock } from '#/runtime/clock.ts';
import { countAll, happen, type Place, recounted } from '../support/counting.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/webhook-world.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const DAY = 24 * 3_600_000;
let clock: FakeClock;
let w: World;
let a: TestAccount;
let place: Place;

beforeEach(async () => {
  clock = new FakeClock();
  w = await world({ clock });
  a = await w.account();
  const stream = await w.db.selectFrom('messageStreams').select('id').limit(1).executeTakeFirstOrThrow();
  place = { accountId: a.accountId, serverId: a.serverId, streamId: stream.id };
});
afterEach(() => w[Symbol.asyncDispose]());

const accepted = async () => {
  const { rows } = await sql<{ count: number }>`
    select coalesce(sum(count), 0)::int as count from counters_by_day where tag = '' and metric = 'ACCEPTED'`.execute(
    w.db,
  );
  return rows[0]?.count ?? 0;
};
const some = (count: number) => Array.from({ length: count }, (_, index) => ({ tag: `t${index % 3}` }));

test('writers that commit in any order, and three who count at once: each event is counted once', async () => {
  const types: readonly EventType[] = ['ACCEPTED', 'EXPIRED', 'CANCELLED'];
  const deps = { system: w.system, clock };
  let writing = true;
  const counters = [1, 2, 3].map(async () => {
    let counted = 0;
    while (writing) {
      counted += (await countBatch(deps, 'events', null, 7)).rows;
      await systemClock.sleep(Math.random() * 3);
    }
    return counted;
  });
  // What is drawn early and committed late is what a careless reader loses.
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let round = 0; round < 40; round++) {
      const events = Array.from({ length: 1 + (round % 4) }, () => ({
        type: types[writer % 3] ?? 'ACCEPTED',
        tag: `w${writer}`,
      }));
      await happen(w, place, events, () => systemClock.sleep(Math.random() * 8));
    }
  });
  await Promise.all(writers);
  writing = false;
  const counted = (await Promise.all(counters)).reduce((sum, count) => sum + count, 0);
  expect(counted).toBeGreaterThan(0);
  await countAll(w);
  expect(await accepted()).toBe(2 * 100);
  expect(await recounted(w)).toEqual({ rows: 400, differences: [] });
});

test('who dies in the middle of a batch has counted nothing, and the next one counts it', async () => {
  await happen(w, place, some(5));
  await countAll(w);
  await happen(w, place, some(20));
  const stopped = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  // A lock on the hours lets the batch write its days, and no more.
  const locking = writeInSystemScope(w.system, clock.now(), async ({ tx }) => {
    await sql`select from counters_by_hour for update`.execute(tx);
    held.resolve();
    await stopped.promise;
  });
  await held.promise;
  const dying = (async () => {
    for (;;) {
      // Nothing is to be counted before the horizon has passed the lock's neighbours.
      const { rows } = await countBatch({ system: w.system, clock }, 'events', null);
      if (rows > 0) return 'counted';
      await systemClock.sleep(2);
    }
  })().catch((error: Error) => error.message);
  const blocked = async () =>
    (
      await sql<{ pid: number }>`select pid from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%counters_by_hour%'`.execute(
        w.db,
      )
    ).rows;
  await until(async () => (await blocked()).length === 1, 'the batch that waits');
  await sql`select pg_terminate_backend(${(await blocked())[0]?.pid})`.execute(w.db);
  // By whichever word of the broken connection comes first.
  const ended = await dying;
  stopped.resolve();
  expect(ended).not.toBe('counted');
  await locking;
  expect(await accepted()).toBe(5);
  expect((await recounted(w)).differences).toEqual([]);
  await countAll(w);
  expect(await accepted()).toBe(25);
  expect(await recounted(w)).toEqual({ rows: 25, differences: [] });
});

test('retention drops no event before it is counted; counters stay, and agree with what is left', async () => {
  const house = { system: w.system, clock, log: w.deps.log, secrets: w.deps.secrets };
  await keepHouse(house);
  await happen(w, place, some(4));
  await clock.advance(8 * DAY);
  await keepHouse(house);
  await happen(w, place, some(3));
  await countAll(w);
  await clock.advance(44 * DAY);
  // Came late, into the partition that goes next; nobody has counted it.
  await happen(w, place, [{ retentionDays: 0 }]);
  await clock.advance(7 * DAY);
  await until(async () => {
    await keepHouse(house);
    return (await w.count('events')) === 0;
  }, 'all partitions dropped');
  expect(await accepted()).toBe(8);
  expect(await recounted(w)).toEqual({ rows: 0, differences: [] });
  const { rows } = await sql<{ count: number }>`select count(*) as count from counters_by_hour
    where starts_at < ${new Date(clock.now().getTime() - (HOURS_KEPT_DAYS + 1) * DAY)}`.execute(w.db);
  expect(rows[0]?.count).toBe(0);
  const { data } = await w.execute(
    `query ($from: DateTime!, $to: DateTime!) { server { stats(from: $from, to: $to, interval: TOTAL, tag: "t0") { buckets { accepted } } } }`,
    { from: new Date(clock.now().getTime() - 90 * DAY).toISOString(), to: clock.now().toISOString() },
    a.token(),
  );
  expect(data.server.stats.buckets).toEqual([{ accepted: 3 }]);
});

test('a partition with an event that is not counted is not dropped', async () => {
  const { dropExpiredPartitions } = await import('#/db/partitions.ts');
  await happen(w, place, some(1));
  await clock.advance(60 * DAY);
  const before = await dropExpiredPartitions(w.db, clock.now());
  expect(before.waiting).toHaveLength(1);
  expect(await w.count('events')).toBe(1);
  await countAll(w);
  expect((await dropExpiredPartitions(w.db, clock.now())).dropped).toEqual(before.waiting);
  expect(await accepted()).toBe(1);
});

test('a partition that is being read for long is dropped the next time, and holds nobody up for long', async () => {
  await happen(w, place, some(1));
  await countAll(w);
  await clock.advance(60 * DAY);
  const { dropExpiredPartitions } = await import('#/db/partitions.ts');
  const reading = Promise.withResolvers<void>();
  const read = Promise.withResolvers<void>();
  const reader = writeInSystemScope(w.system, clock.now(), async ({ tx }) => {
    await sql`select count(*) from events`.execute(tx);
    reading.resolve();
    await read.promise;
  });
  await reading.promise;
  const { waiting } = await dropExpiredPartitions(w.db, clock.now());
  read.resolve();
  await reader;
  expect(waiting).not.toEqual([]);
  expect((await dropExpiredPartitions(w.db, clock.now())).dropped).toEqual(waiting);
});

test('a counter that is wrong, missing or made up is found, and put right', async () => {
  await happen(w, place, some(9));
  await countAll(w);
  expect((await recounted(w)).differences).toEqual([]);
  await sql`update counters_by_day set count = count + 1 where tag = 't1'`.execute(w.db);
  await sql`delete from counters_by_hour where tag = ''`.execute(w.db);
  await sql`insert into counters_by_day select account_id, server_id, 'never', starts_at, stream_id, metric, bucket, 5
    from counters_by_day where tag = ''`.execute(w.db);
  const { differences } = await recounted(w, true);
  expect(differences).toHaveLength(3);
  expect(differences).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ unit: 'day', tag: 't1', counted: 4, logged: 3, serverId: a.serverId }),
      expect.objectContaining({ unit: 'day', tag: 'never', counted: 5, logged: null }),
      expect.objectContaining({ unit: 'hour', tag: '', counted: null, logged: 9 }),
    ]),
  );
  expect((await recounted(w)).differences).toEqual([]);
  expect(encodeId('server', differences[0]?.serverId ?? '')).toMatch(/^srv_/);
});

test('a cursor that has gone too far or not far enough is found', async () => {
  await happen(w, place, some(2));
  await countAll(w);
  await happen(w, place, some(2));
  await sql`update counter_cursors set xact = 1000000000000000 where source = 'events'`.execute(w.db);
  expect((await recounted(w)).differences.length).toBeGreaterThan(0);
  await sql`update counter_cursors set xact = -1 where source = 'events'`.execute(w.db);
  expect((await recounted(w)).differences.length).toBeGreaterThan(0);
});

test('one process counts while it is there; the next one takes over when it is gone', async () => {
  const deps = { system: w.system, clock };
  const untilCounted = async (holder: string) => {
    for (;;) {
      const rows = await countNew(deps, { holder });
      if (rows > 0) return rows;
      await systemClock.sleep(2);
    }
  };
  const [first, second] = [w.deps.ids.next(), w.deps.ids.next()];
  await happen(w, place, some(2));
  expect(await untilCounted(first)).toBe(2);
  await happen(w, place, some(3));
  await systemClock.sleep(50);
  expect(await countNew(deps, { holder: second })).toBe(0);
  await clock.advance(20_000);
  expect(await untilCounted(second)).toBe(3);
});

test('it counts by itself, soon after something has happened', async () => {
  const counting = startCounting({ ...w.deps, clock: { ...systemClock, now: () => clock.now() } });
  try {
    await happen(w, place, some(6));
    w.deps.channel.nudge('events');
    await until(async () => (await accepted()) === 6, 'counters', 15_000);
  } finally {
    await counting[Symbol.asyncDispose]();
  }
});
