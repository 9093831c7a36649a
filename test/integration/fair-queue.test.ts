// Fairness in claiming: whoever has few waiting is not behind whoever has many.
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { claimReady, promoteDue, renewLeases } from '#/db/delivery-queue.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { type DeliveryWorld, deliveryWorld } from '../support/delivery-world.ts';
import { FakeClock } from '../support/fake-clock.ts';

const clock = new FakeClock();
let world: DeliveryWorld;

beforeAll(async () => {
  world = await deliveryWorld({
    outbound: { kind: 'relay', relay: { host: '127.0.0.1', port: 1, tls: 'opportunistic', auth: null } },
    clock,
  });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.deps.db.deleteFrom('deliveryQueue').execute();
});

const write = <T>(run: (scope: SystemWriteScope) => Promise<T>) =>
  writeInSystemScope(world.deps.system, clock.now(), run);
const owner = '00000000-0000-7000-8000-000000000001';
const claim = (limit: number, passOver: readonly string[] = []) =>
  write((scope) => claimReady(scope, { owner, limit, leaseMs: 30_000, passOver }));

/** The sequence outlives the rows of the test before. */
async function front(): Promise<number> {
  const { rows } = await sql<{ front: number }>`select last_value as front from delivery_front`.execute(world.deps.db);
  return rows[0]?.front ?? 0;
}

/** Rows of an account, ready at turns from `firstTurn` on, or waiting for `dueAt`. */
async function fill(account: string, rows: number, at: { firstTurn: number } | { dueAt: Date }): Promise<void> {
  const ready = 'firstTurn' in at;
  await sql`
    insert into delivery_queue (account_id, message_id, ordinal, bucket, server_id, stream_id, lane, sandboxed, address,
      domain, due_at, deliver_by, ready, turn)
    select ${account}::uuid, gen_random_uuid(), 0, 0, ${account}::uuid, ${account}::uuid, 0, false, 'a@b.example', 'b.example',
      ${ready ? clock.now() : at.dueAt}, ${clock.now()}::timestamptz + interval '1 day', ${ready},
      ${ready ? at.firstTurn : 0}::bigint + i
    from generate_series(1, ${rows}::int) as i`.execute(world.deps.db);
}
const a = '00000000-0000-7000-8000-00000000000a';
const b = '00000000-0000-7000-8000-00000000000b';

describe('a claim', () => {
  test('goes by turns', async () => {
    await fill(a, 50, { firstTurn: 1_000 });
    await fill(b, 3, { firstTurn: 1_000 });
    const claims = await claim(10);
    expect(claims.filter(({ accountId }) => accountId === b).length).toBe(3);
    expect(claims.length).toBe(10);
  });

  test('passes accounts over that hold too much, but looks only so far behind them', async () => {
    await fill(a, 6_000, { firstTurn: 1_000 });
    await fill(b, 1, { firstTurn: 2_000 });
    expect((await claim(10, [a])).map(({ accountId }) => accountId)).toEqual([b]);
    await fill(b, 1, { firstTurn: 100_000 });
    expect(await claim(10, [a])).toEqual([]);
  });

  test('takes nothing that waits for its time', async () => {
    await fill(a, 3, { dueAt: new Date(clock.now().getTime() + 1) });
    expect(await write((scope) => promoteDue(scope, 10))).toBe(0);
    expect(await claim(10)).toEqual([]);
  });
});

describe('a renewal of leases', () => {
  test('waits for no row that another statement is changing, and renews the rest', async () => {
    await fill(a, 3, { firstTurn: 1_000 });
    const claims = await claim(3);
    const [busy] = claims;
    const later = 60_000;
    await write(async ({ tx }) => {
      await sql`update delivery_queue set content_sent = true where message_id = ${busy?.messageId}::uuid`.execute(tx);
      await write((scope) => renewLeases(scope, owner, later, claims));
    });
    const rows = await world.deps.db.selectFrom('deliveryQueue').select(['messageId', 'dueAt', 'leaseOwner']).execute();
    const until = (id: string | undefined) => rows.find(({ messageId }) => messageId === id)?.dueAt.getTime();
    expect(claims.map(({ messageId }) => until(messageId))).toEqual(
      [30_000, later, later].map((ms) => clock.now().getTime() + ms),
    );
  });

  test('takes back nothing that is somebody else’s by now', async () => {
    await fill(a, 1, { firstTurn: 1_000 });
    const claims = await claim(1);
    await write((scope) => renewLeases(scope, a, 60_000, claims));
    const [row] = await world.deps.db.selectFrom('deliveryQueue').select('dueAt').execute();
    expect(row?.dueAt.getTime()).toBe(clock.now().getTime() + 30_000);
  });
});

describe('what has waited for its time', () => {
  test('stands in line behind the front, those of one account one after the other', async () => {
    await fill(a, 5, { firstTurn: await front() });
    await fill(b, 200, { dueAt: clock.now() });
    expect(await write((scope) => promoteDue(scope, 1_000))).toBe(200);
    const claims = await claim(10);
    expect(claims.filter(({ accountId }) => accountId === a).length).toBe(5);
  });

  test('comes back from a dead worker with what that has left', async () => {
    await fill(a, 1, { firstTurn: 1 });
    await claim(1);
    await world.deps.db.updateTable('deliveryQueue').set({ attemptId: owner, contentSent: true }).execute();
    await clock.advance(30_000);
    await write((scope) => promoteDue(scope, 10));
    expect(await claim(1)).toMatchObject([{ lostAttemptId: owner, lostAfterContent: true }]);
  });
});

test('mail that is accepted during a flood of somebody else comes next', async () => {
  await fill(a, 20_000, { firstTurn: await front() });
  const id = await world.send({});
  expect((await claim(3)).map(({ messageId }) => messageId)).toContain(id);
});

test('the front only rises', async () => {
  await fill(a, 1, { firstTurn: (await front()) + 1_000 });
  await claim(1);
  const risen = await front();
  await fill(b, 1, { firstTurn: risen - 500 });
  await claim(1);
  expect(await front()).toBe(risen);
});

test('its own flood as well', async () => {
  for (let index = 0; index < 20; index++) await world.send({ stream: 'broadcast' });
  const id = await world.send({});
  expect((await claim(2)).map(({ messageId }) => messageId)).toContain(id);
});
