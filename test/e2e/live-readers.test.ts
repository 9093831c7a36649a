// Followers of a real server over real sockets: those who do not read, those who vanish, and those whose server goes away.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { systemScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt, RETENTION_DAYS } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { Peer } from '../support/ws-peer.ts';
import { atMost } from '../support/time-taken.ts';

const FOLLOW = 'subscription { messageEvents { id metadata } }';

let app: App;
let account: AppAccount;
beforeAll(async () => {
  app = await startApp({ VEREDUS_RATE_LIMIT: '0', VEREDUS_ROLES: 'api' });
  account = await app.account();
});
afterAll(() => app[Symbol.asyncDispose]());

const wsUrl = () => `${app.url.replace('http', 'ws')}/graphql`;

async function follow(): Promise<Peer> {
  const peer = await new Peer(wsUrl()).open();
  await peer.init({ token: account.serverToken });
  peer.subscribe('1', FOLLOW);
  return peer;
}

/** Answers the public ids of events of some 700 octets. */
async function publish(count: number): Promise<string[]> {
  const { deps, system } = app.node;
  const { accountId, serverId } = account;
  const stream = await system.db
    .selectFrom('messageStreams')
    .select('id')
    .where('serverId', '=', serverId)
    .limit(1)
    .executeTakeFirstOrThrow();
  const now = new Date();
  const messageId = deps.ids.nextInBucket(bucketAt(now, RETENTION_DAYS.default));
  const ids = Array.from({ length: count }, () => deps.ids.next());
  await writeInSystemScope(systemScope(system.db), now, (scope) =>
    append(
      scope,
      ids.map((id) => ({
        id,
        accountId,
        serverId,
        streamId: stream.id,
        messageId,
        recipient: 'ann@r.example',
        tag: null,
        metadata: { padding: 'x'.repeat(600) },
        type: 'EXPIRED',
        data: null,
      })),
    ),
  );
  deps.channel.nudge('events');
  return ids.map((id) => encodeId('event', id));
}

const seen = (peer: Peer) =>
  peer.of('1').map(({ payload }) => (payload as { data: { messageEvents: { id: string } } }).data.messageEvents.id);

/** Until all of these stand at the live end of the log. */
async function caughtUp(peers: readonly Peer[]): Promise<void> {
  while (!peers.every((peer) => peer.of('1').length > 0)) {
    await publish(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const peer of peers) peer.messages.length = 0;
}

describe('a hundred that do not read', () => {
  test('cost little, hold up nobody, and get everything later, in order', { timeout: 120_000 }, async () => {
    const slow = await Promise.all(Array.from({ length: 100 }, follow));
    const fast = await Promise.all(Array.from({ length: 5 }, follow));
    await caughtUp([...slow, ...fast]);
    // An event that was published to find out may still be on its way to some.
    const marker = await publish(1);
    await expect.poll(() => [...slow, ...fast].every((peer) => seen(peer).at(-1) === marker[0])).toBe(true);
    for (const peer of [...slow, ...fast]) peer.messages.length = 0;

    for (const { socket } of slow) socket.pause();
    const before = memory();
    const published: string[] = [];
    const late: number[] = [];
    for (let page = 0; page < 20; page++) {
      const at = performance.now();
      published.push(...(await publish(500)));
      await expect
        .poll(() => fast.every((peer) => peer.of('1').length === published.length), { timeout: 20_000 })
        .toBe(true);
      late.push(performance.now() - at);
    }
    for (const peer of fast) expect(seen(peer)).toEqual(published);
    // All that was published to them is 850 MB. They hold a page each, and what the sockets took.
    expect(memory() - before).toBeLessThan(150_000_000);
    expect(slow.every((peer) => peer.of('1').length < published.length)).toBe(true);
    // The last pages are not later than the first: nobody waits for those who do not read.
    expect(Math.min(...late.slice(-5))).toBeLessThan(atMost(1_000));

    const some = slow.filter((_, index) => index % 20 === 0);
    for (const peer of some) peer.socket.resume();
    await expect
      .poll(() => some.every((peer) => peer.of('1').length === published.length), { timeout: 60_000 })
      .toBe(true);
    for (const peer of some) expect(seen(peer)).toEqual(published);

    for (const { socket } of [...slow, ...fast]) socket.terminate();
    await expect.poll(() => app.node.deps.feed.size).toBe(0);
  });
});

/** What the process holds beside the stack and the code: objects, and the bytes that wait in sockets. */
function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('idle subscriptions', () => {
  test.each([
    ['terminated', (socket: WebSocket) => socket.terminate()],
    ['closed', (socket: WebSocket) => socket.close()],
  ])('leave nothing behind when their sockets are %s, without any event', async (_, end) => {
    const peers = await Promise.all(Array.from({ length: 50 }, follow));
    await expect.poll(() => app.node.deps.feed.size).toBe(50);
    for (const { socket } of peers) end(socket);
    await expect.poll(() => app.node.deps.feed.size).toBe(0);
  });

  test('nor does one whose socket closes before it has begun', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = new WebSocket(wsUrl(), 'graphql-transport-ws');
        await once(socket, 'open');
        socket.send(JSON.stringify({ type: 'connection_init', payload: { token: account.serverToken } }));
        await once(socket, 'message');
        socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query: FOLLOW } }), () =>
          socket.terminate(),
        );
        return socket;
      }),
    );
    await Promise.all(
      sockets
        .map((socket) => (socket.readyState === socket.CLOSED ? null : once(socket, 'close')))
        .filter((closing) => closing !== null),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expect.poll(() => app.node.deps.feed.size).toBe(0);
  });
});
