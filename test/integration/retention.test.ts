// Retention: what has expired is not there any more, and then not anywhere; a follower that was away too long is told.
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { bucketedTables } from '#/db/partitions.ts';
import { readScope, systemScope } from '#/db/scope.ts';
import { findMessages } from '#/db/messages.ts';
import { readFloor } from '#/events/log.ts';
import { keepHouse } from '#/maintenance/housekeeping.ts';
import { deliveryWorld } from '../support/delivery-world.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { until } from '../support/webhook-world.ts';

const DAY_MS = 24 * 3_600_000;
const nowhere = { kind: 'relay', relay: { host: '127.0.0.1', port: 9, tls: 'opportunistic', auth: null } } as const;

test('a message is hidden when it expires, and its partitions go when their week has passed', async () => {
  const clock = new FakeClock();
  await using world = await deliveryWorld({ outbound: nowhere, clock });
  const { db } = world.deps;
  const id = await world.send({});
  const scope = readScope(db, { accountId: world.accountId, servers: [world.serverId], streamId: null });
  const house = { system: systemScope(db), clock, log: silentLog, secrets: world.deps.secrets };
  const found = async () => (await findMessages(scope, [id], clock.now())).length;
  const stored = async () => {
    const counts = await Promise.all(
      bucketedTables.map((table) => sql<{ count: number }>`select count(*) from ${sql.table(table)}`.execute(db)),
    );
    return counts.reduce((sum, { rows }) => sum + (rows[0]?.count ?? 0), 0);
  };

  await clock.advance(44 * DAY_MS);
  await keepHouse(house);
  expect(await found()).toBe(1);
  await clock.advance(2 * DAY_MS);
  expect(await found()).toBe(0);
  expect((await readFloor(db, world)).droppedThrough).toBe(-1);

  await clock.advance(7 * DAY_MS);
  // What is to be counted first waits for transactions of other tests, some milliseconds.
  await until(async () => {
    await keepHouse(house);
    return (await stored()) === 0;
  }, 'all partitions dropped');
  expect((await readFloor(db, world)).droppedThrough).toBeGreaterThan(0);
});

test('a message that is accepted later finds its partitions, however long the node ran', async () => {
  const clock = new FakeClock();
  await using world = await deliveryWorld({ outbound: nowhere, clock });
  const house = { system: systemScope(world.deps.db), clock, log: silentLog, secrets: world.deps.secrets };
  for (let week = 0; week < 8; week++) {
    await keepHouse(house);
    await clock.advance(7 * DAY_MS);
    await world.send({ to: [`week${week}@receiver.example`] });
  }
});
