// What the couriers of a process write at once: cursors of many webhooks in one transaction, health of many in another.
import { expect, test } from 'vitest';
import { writeInSystemScope } from '#/db/scope.ts';
import { type HealthChange, type Intake, recordHealth, recordIntakes } from '#/db/webhook-work.ts';
import { FIRST_ID } from '#/events/log.ts';
import { startSink } from '../support/webhook-sink.ts';
import { webhookWorld } from '../support/webhook-world.ts';

const ROUNDS = 150;

test('cursors and health of the same webhooks never wait for each other in a circle', { timeout: 60_000 }, async () => {
  await using world = await webhookWorld();
  await using sink = await startSink();
  const { db, system, deps } = world.w;
  for (let count = 0; count < 20; count++) await world.create(sink.url, { skipVerification: true });
  const owner = deps.ids.next();
  // Their rows lie in another order than that of their ids.
  const ids = (await db.selectFrom('webhooks').select('id').orderBy('id', 'desc').execute()).map(({ id }) => id);
  for (const id of ids) await db.updateTable('webhooks').set({ leaseOwner: owner }).where('id', '=', id).execute();
  const { accountId } = world.a;
  const { cursorXact } = await db
    .selectFrom('webhooks')
    .select('cursorXact')
    .orderBy('cursorXact', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  const now = new Date();

  const takeIn = async (round: number) => {
    const through = { xact: cursorXact + round + 1, id: FIRST_ID };
    const intakes = ids.map((webhookId): Intake => ({ accountId, webhookId, deliveries: [], through, replay: null }));
    return writeInSystemScope(system, now, (scope) => recordIntakes(scope, owner, intakes));
  };
  const health = {
    failures: 1,
    refusals: 0,
    failingSince: now,
    lastSuccessAt: null,
    pausedAt: null,
    pauseReason: null,
  };
  const judge = () => {
    const rest = { ...health, notBefore: null, catchUpXact: 0, notice: null };
    const changes = ids.map((id): HealthChange => ({ accountId, id, ...rest }));
    return writeInSystemScope(system, now, (scope) => recordHealth(scope, owner, changes));
  };
  const intakes = async () => {
    for (let round = 0; round < ROUNDS; round++) expect((await takeIn(round)).size).toBe(20);
  };
  const healths = async () => {
    for (let round = 0; round < ROUNDS; round++) await judge();
  };
  await Promise.all([intakes(), healths()]);
});
