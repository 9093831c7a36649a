// Queued mail of a paused server: it waits, out of everybody's way, and goes when sending is resumed.
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endPauses, insertPause, listPauses } from '#/db/sending-pauses.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { lockServer } from '#/db/servers.ts';
import { recordSettlements } from '#/delivery/record.ts';
import { claimReady } from '#/db/delivery-queue.ts';
import { loadForDelivery } from '#/db/messages.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { deliveryWorld, type DeliveryWorld } from '../support/delivery-world.ts';
import { type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';
import { until } from '../support/webhook-world.ts';

let peer: SmtpPeer;
let w: DeliveryWorld;
let clock: FakeClock;
beforeEach(async () => {
  clock = new FakeClock();
  peer = await startSmtpPeer();
  const relay = { host: '127.0.0.1', port: peer.port, tls: 'opportunistic', auth: null } as const;
  w = await deliveryWorld({ outbound: { kind: 'relay', relay }, clock });
});
afterEach(async () => {
  await w[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
});

const inAccount = <T>(run: (scope: ReturnType<typeof scopeOfAccount>) => Promise<T>) =>
  writeInSystemScope(w.deps.system, clock.now(), (scope) => run(scopeOfAccount(scope, w.accountId)));

async function pause(streamId: string | null = null): Promise<string> {
  const id = w.deps.ids.next();
  const about = { serverId: w.serverId, streamId, reason: 'MANUAL', note: null, evidence: {} } as const;
  await inAccount((scope) => insertPause(scope, { id, ...about }));
  w.deps.channel.nudge('config');
  return id;
}
async function resume(...ids: readonly string[]): Promise<void> {
  await inAccount(async (scope) => {
    await lockServer(scope, w.serverId);
    await endPauses(scope, w.serverId, ids, null);
  });
  w.deps.channel.nudge('config');
  w.deps.channel.nudge('queue');
}
const queue = () => w.deps.db.selectFrom('deliveryQueue').selectAll().orderBy('messageId').execute();
const parked = async (count: number) => until(async () => (await queue()).filter((row) => row.parked).length === count);
const closed = () => until(async () => (await pausesOpen()) === 0, 'all pauses are done with');
const pausesOpen = async () =>
  (await w.deps.db.selectFrom('sendingPauses').select('id').where('releasedAt', 'is', null).execute()).length;
const streamId = async (slug: string) =>
  (await w.deps.db.selectFrom('messageStreams').select('id').where('slug', '=', slug).executeTakeFirstOrThrow()).id;

test('waits untried, and is delivered once after the end; nothing is left of the pause', async () => {
  const ids = await Promise.all(
    Array.from({ length: 60 }, (_, index) => w.send({ to: [`r${index}@receiver.example`] })),
  );
  const id = await pause();
  w.startEngine();
  w.startEngine();
  await parked(60);
  expect(peer.messages).toEqual([]);
  for (const row of await queue()) {
    expect(row).toMatchObject({ ready: false, leaseOwner: null, attempts: 0 });
    expect(row.dueAt).toEqual(row.deliverBy);
  }
  expect(await w.statuses(ids[0] ?? '')).toEqual(['QUEUED']);
  await resume(id);
  await peer.until(({ messages }) => messages.length === 60);
  await until(async () => (await queue()).length === 0);
  expect(new Set(peer.messages.flatMap(({ recipients }) => recipients)).size).toBe(60);
  await closed();
});

test('waits although it is tried again after a failure, or was scheduled', async () => {
  await w.send({ sendAt: new Date(clock.now().getTime() + 60_000) });
  const id = await pause();
  w.startEngine();
  await clock.advance(61_000);
  w.deps.channel.nudge('queue');
  await parked(1);
  await resume(id);
  await peer.until(({ messages }) => messages.length === 1);
});

test('of a paused stream only; and of two pauses the last one lets it go', async () => {
  const [broadcast, rest] = [await w.send({ stream: 'broadcast' }), await w.send({})];
  const ofStream = await pause(await streamId('broadcast'));
  w.startEngine();
  await w.events(rest, 2);
  await parked(1);
  const whole = await pause();
  await resume(whole);
  await until(async () => (await pausesOpen()) === 1);
  expect((await queue()).map(({ messageId, parked: waits }) => [messageId, waits])).toEqual([[broadcast, true]]);
  await resume(ofStream);
  await w.events(broadcast, 2);
  expect(peer.messages.length).toBe(2);
  await closed();
});

test('expires at its own time, also while it waits', async () => {
  const id = await w.send({ expiresAt: new Date(clock.now().getTime() + 600_000) });
  await pause();
  w.startEngine();
  await parked(1);
  await clock.advance(601_000);
  w.deps.channel.nudge('queue');
  expect((await w.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'EXPIRED']);
  expect(peer.messages).toEqual([]);
});

test('goes at once where a worker parks it that has not heard of the end', async () => {
  await w.send({});
  const owner = w.deps.ids.next();
  const { system, ids } = w.deps;
  const claims = await writeInSystemScope(system, clock.now(), (scope) =>
    claimReady(scope, { owner, limit: 10, leaseMs: 30_000 }),
  );
  const stored = await loadForDelivery(system, claims);
  const settlements = claims.map((claim) => {
    const message = stored.get(claim.messageId)?.message;
    if (message === undefined) throw new Error('the message is missing');
    const decision = { status: 'RETURNED', dueAt: claim.deliverBy, parked: true } as const;
    return { claim, message, attempt: null, lost: null, decision };
  });
  await writeInSystemScope(system, clock.now(), (scope) => recordSettlements(scope, ids, owner, settlements));
  expect(await queue()).toMatchObject([{ parked: false, dueAt: clock.now(), leaseOwner: null }]);
});

test('is not forgotten by an end that comes while it is parked', async () => {
  await w.send({});
  const id = await pause();
  const owner = w.deps.ids.next();
  const { system, ids } = w.deps;
  const claims = await writeInSystemScope(system, clock.now(), (scope) =>
    claimReady(scope, { owner, limit: 10, leaseMs: 30_000 }),
  );
  const stored = await loadForDelivery(system, claims);
  const message = stored.get(claims[0]?.messageId ?? '')?.message;
  if (message === undefined) throw new Error('the message is missing');
  const decision = (deliverBy: Date) => ({ status: 'RETURNED', dueAt: deliverBy, parked: true }) as const;
  const [holding, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const parking = writeInSystemScope(system, clock.now(), async (scope) => {
    const settlements = claims.map((claim) => ({
      claim,
      message,
      attempt: null,
      lost: null,
      decision: decision(claim.deliverBy),
    }));
    await recordSettlements(scope, ids, owner, settlements);
    holding.resolve();
    await go.promise;
  });
  await holding.promise;
  let ended = false;
  const resuming = resume(id).then(() => {
    ended = true;
  });
  w.startEngine();
  await until(async () => (await waitingForLocks()) > 0, 'the end waits for who parks');
  expect(ended).toBe(false);
  go.resolve();
  await Promise.all([parking, resuming]);
  await peer.until(({ messages }) => messages.length === 1);
  await closed();
  expect(await inAccount((scope) => listPauses(scope, [w.serverId]))).toEqual([]);
});

async function waitingForLocks(): Promise<number> {
  const { rows } = await w.deps.db.executeQuery<{ waiting: number }>(
    sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.compile(w.deps.db),
  );
  return rows[0]?.waiting ?? 0;
}
