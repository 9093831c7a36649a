import { once } from 'node:events';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FakeClock } from '../support/fake-clock.ts';
import {
  caches,
  callerOf,
  closeAt,
  type HttpWorld,
  otherToken,
  serverToken,
  source,
  startHttp,
  until,
} from '../support/http-world.ts';
import { Peer } from '../support/ws-peer.ts';

const PROTOCOL = 'graphql-transport-ws';
const expiring = 'vrs_expiring';
let world: HttpWorld;
beforeAll(async () => {
  world = await startHttp();
});
afterAll(() => world.server.close());

async function connected(on = world, token = serverToken): Promise<Peer> {
  const peer = await new Peer(on.wsUrl).open();
  return peer.init({ token });
}

describe('getting in', () => {
  test.each([
    ['token', () => ({ token: serverToken })],
    ['Authorization', () => ({ Authorization: `Bearer ${serverToken}` })],
    ['authorization', () => ({ authorization: `Bearer ${serverToken}` })],
    ['X-Veredus-Token', () => ({ 'X-Veredus-Token': serverToken })],
    ['headers', () => ({ headers: { Authorization: `Bearer ${serverToken}` } })],
  ])('with connectionParams %s', async (_, payload) => {
    const peer = await new Peer(world.wsUrl).open();
    await peer.init(payload());
    peer.subscribe('1', '{ whoami }');
    await until(() => peer.of('1').length === 2);
    expect(peer.of('1')).toMatchObject([
      { type: 'next', payload: { data: { whoami: 'label of token-1' } } },
      { type: 'complete' },
    ]);
    peer.socket.close();
  });

  test('with the header of the upgrade', async () => {
    const peer = await new Peer(world.wsUrl, { headers: { authorization: `Bearer ${serverToken}` } }).open();
    await peer.init();
    peer.socket.close();
  });

  test.each([
    [undefined],
    [{ token: 'vrs_nonsense' }],
    [{ authorization: 'Basic x' }],
    [{ token: 5 }],
    [{ headers: 'x' }],
    [{ headers: { authorization: serverToken } }],
  ])('%j is 4403', async (payload) => {
    const peer = await new Peer(world.wsUrl).open();
    peer.send({ type: 'connection_init', payload });
    expect((await peer.closed).code).toBe(4403);
  });

  test.each([
    ['a token in the URL', '?token=x', {}, 400],
    ['a cookie from another origin', '', { cookie: 's=1', origin: 'https://evil.example' }, 403],
  ])('%s is refused before the upgrade', async (_, search, headers, status) => {
    const socket = new WebSocket(world.wsUrl + search, PROTOCOL, { headers });
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain(`Unexpected server response: ${status}`);
  });

  test.each([{ cookie: 's=1', origin: 'http://localhost:4000' }, { origin: 'https://app.example' }, { cookie: 's=1' }])(
    '%j may open one',
    async (headers) => {
      const peer = await new Peer(world.wsUrl, { headers }).open();
      peer.socket.close();
    },
  );

  test('there is one address', async () => {
    const socket = new WebSocket(`${world.wsUrl}/other`, PROTOCOL);
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('404');
  });
});

describe('the protocol', () => {
  test('no connection_init within five seconds is 4408', async () => {
    const peer = await new Peer(world.wsUrl).open();
    expect((await peer.closed).code).toBe(4408);
  }, 8_000);

  test('a second connection_init is 4429', async () => {
    const peer = await connected();
    peer.send({ type: 'connection_init', payload: { token: serverToken } });
    expect((await peer.closed).code).toBe(4429);
  });

  test('subscribe before the acknowledgement is 4401', async () => {
    const peer = await new Peer(world.wsUrl).open();
    peer.subscribe('1');
    expect((await peer.closed).code).toBe(4401);
  });

  test('an id in use is 4409', async () => {
    const peer = await connected();
    peer.subscribe('1');
    peer.subscribe('1');
    expect((await peer.closed).code).toBe(4409);
    await until(() => source.open === 0);
  });

  test.each(['not json', '{"type":"unknown"}', '{"type":"subscribe"}'])('%s is 4400', async (text) => {
    const peer = await connected();
    peer.send(text);
    expect((await peer.closed).code).toBe(4400);
  });

  test('another subprotocol is 4406', async () => {
    const peer = new Peer(world.wsUrl, {}, 'graphql-ws');
    expect([4406, 1006]).toContain((await peer.closed).code);
  });

  test('ping is answered', async () => {
    const peer = await connected();
    peer.send({ type: 'ping', payload: { a: 1 } });
    await until(() => peer.messages.some(({ type }) => type === 'pong'));
    peer.socket.close();
  });

  test('the official client subscribes and stops', async () => {
    const client = createClient({
      url: world.wsUrl,
      webSocketImpl: WebSocket,
      connectionParams: { token: serverToken },
      retryAttempts: 0,
    });
    const events = client.iterate({ query: 'subscription { events }' });
    const first = events.next();
    await until(() => source.open === 1);
    caches.length = 0;
    source.push('one');
    expect(await first).toMatchObject({ value: { data: { events: 'one' } } });
    const second = events.next();
    source.push('two');
    expect(await second).toMatchObject({ value: { data: { events: 'two' } } });
    expect(new Set(caches).size).toBe(2);
    await events.return?.();
    await until(() => source.open === 0);
    await client.dispose();
  });
});

describe('what is told of errors', () => {
  test.each([
    ['{', 'error', 'GRAPHQL_PARSE_FAILED'],
    ['{ nothing }', 'error', 'GRAPHQL_VALIDATION_FAILED'],
    [`{ nodes(first: 99999) { edges { node { id } } } }`, 'error', 'QUERY_TOO_COMPLEX'],
    ['subscription { refusedEvents }', 'next', 'FORBIDDEN'],
    ['query($n: Int!) { nodes(first: $n) { edges { node { id } } } }', 'next', 'BAD_USER_INPUT'],
    ['{ defect }', 'next', 'INTERNAL'],
  ])('%s', async (query, type, code) => {
    const peer = await connected();
    peer.subscribe('1', query);
    await until(() => peer.of('1').length > 0);
    const [message] = peer.of('1');
    expect(message?.type).toBe(type);
    expect(JSON.stringify(message)).toContain(`"code":"${code}"`);
    expect(JSON.stringify(message)).not.toContain('hunter2');
    peer.socket.close();
  });

  test('a source that fails ends its operation with a masked error', async () => {
    const peer = await connected();
    peer.subscribe('1');
    await until(() => source.open === 1);
    source.fail(new Error('hunter2'));
    await until(() => peer.of('1').length === 2);
    expect(peer.of('1')).toMatchObject([
      { type: 'next', payload: { errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL' } }] } },
      { type: 'complete' },
    ]);
    await until(() => source.open === 0);
    peer.socket.close();
  });
});

describe('what is released', () => {
  test.each([
    ['complete', (peer: Peer) => peer.send({ type: 'complete', id: '1' })],
    ['close', (peer: Peer) => peer.socket.close()],
    ['terminate', (peer: Peer) => peer.socket.terminate()],
  ])('a waiting source, by %s', async (_, end) => {
    const peer = await connected();
    peer.subscribe('1');
    await until(() => source.open === 1);
    end(peer);
    await until(() => source.open === 0);
    peer.socket.terminate();
  });
});

describe('tokens', () => {
  test('a revoked one closes its sockets with 4401, and no other', async () => {
    const mine = [await connected(), await connected()];
    const other = await connected(world, otherToken);
    for (const peer of [...mine, other]) peer.subscribe('1');
    await until(() => source.open === 3);
    world.revoke('token-1');
    for (const peer of mine) expect((await peer.closed).code).toBe(4401);
    await until(() => source.open === 1);
    source.push('still here');
    await until(() => other.of('1').length === 1);
    other.socket.close();
    await until(() => source.open === 0);
  });

  test('an expired one closes its sockets with 4401', async () => {
    const short = await startHttp({
      callers: { [expiring]: callerOf('token-3', { expiresAt: new Date(Date.now() + 1_500) }) },
    });
    const peer = await connected(short, expiring);
    expect((await peer.closed).code).toBe(4401);
    await short.server.close();
  });

  test('one that expires in years keeps its socket', async () => {
    const long = await startHttp({
      callers: { [expiring]: callerOf('token-3', { expiresAt: new Date(Date.now() + 2 ** 33) }) },
    });
    const peer = await connected(long, expiring);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(peer.socket.readyState).toBe(WebSocket.OPEN);
    peer.socket.close();
    await long.server.close();
  });
});

describe('limits', () => {
  test('fifty operations a socket', async () => {
    const peer = await connected();
    for (let id = 0; id < 50; id++) peer.subscribe(String(id));
    await until(() => source.open === 50);
    peer.subscribe('one more');
    await until(() => peer.of('one more').length === 1);
    // The others go on, and there is room again when one has ended.
    expect(peer.of('one more')).toMatchObject([
      { type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED', retryAfter: 1 } }] },
    ]);
    source.push('to fifty');
    await until(() => peer.of('49').length === 1);
    peer.send({ type: 'complete', id: '0' });
    await until(() => source.open === 49);
    peer.subscribe('one more');
    await until(() => source.open === 50);
    peer.socket.close();
    await until(() => source.open === 0);
  });

  test('six hundred sockets a token', { timeout: 20_000 }, async () => {
    const peers: Peer[] = [];
    for (let hundred = 0; hundred < 6; hundred++)
      peers.push(...(await Promise.all(Array.from({ length: 100 }, () => connected(world, otherToken)))));
    const peer = await new Peer(world.wsUrl).open();
    peer.send({ type: 'connection_init', payload: { token: otherToken } });
    expect((await peer.closed).code).toBe(4429);
    for (const each of peers) each.socket.terminate();
  });

  test('two hundred messages at once', async () => {
    const peer = await connected();
    for (let count = 0; count < 250; count++) peer.send({ type: 'pong' });
    expect(await peer.closed).toEqual({ code: 4429, reason: 'Too many messages' });
  });

  test('64 KiB a message', async () => {
    const peer = await connected();
    peer.send('x'.repeat(70_000));
    expect((await peer.closed).code).toBe(1009);
  });

  test('a peer that answers no ping is dropped', async () => {
    const clock = new FakeClock();
    const still = await startHttp({ clock });
    const deaf = await new Peer(still.wsUrl, { autoPong: false }).open();
    const alive = await new Peer(still.wsUrl).open();
    await clock.advance(20_000);
    // After the first of these it has seen the ping, after the second the server has seen its pong.
    for (const round of [1, 2]) {
      alive.send({ type: 'ping' });
      await until(() => alive.messages.filter(({ type }) => type === 'pong').length === round);
    }
    await clock.advance(20_000);
    expect((await deaf.closed).code).toBe(1006);
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
    alive.socket.terminate();
    await closeAt(still, clock);
  });

  test('one that is slow is waited for, behind what it has to read; one that never reads is dropped', async () => {
    const clock = new FakeClock();
    const patient = await startHttp({ clock });
    const slow = await connected(patient);
    const still = await connected(patient);
    for (const peer of [slow, still]) {
      peer.subscribe('1');
      peer.socket.pause();
    }
    await until(() => source.open === 2);
    // What lies in the system's buffers, and in front of the ping.
    for (let count = 0; count < 4; count++) {
      source.push('x'.repeat(50_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await clock.advance(14 * 20_000);
    expect(slow.of('1')).toEqual([]);
    slow.socket.resume();
    await until(() => slow.of('1').length === 4);
    for (let ping = 0; ping < 2; ping++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await clock.advance(20_000);
    }
    await until(() => source.open === 1);
    expect(slow.socket.readyState).toBe(WebSocket.OPEN);
    source.push('and on it goes');
    await until(() => slow.of('1').length === 5);
    still.socket.resume();
    expect((await still.closed).code).toBe(1006);
    slow.socket.terminate();
    await closeAt(patient, clock);
  });

  test('the end of the process is 1001', async () => {
    const ending = await startHttp();
    const peer = await connected(ending);
    peer.subscribe('1');
    await until(() => source.open === 1);
    await ending.server.close();
    expect((await peer.closed).code).toBe(1001);
    // A `complete` would tell the client not to come back.
    expect(peer.of('1')).toEqual([]);
    expect(source.open).toBe(0);
  });
});
