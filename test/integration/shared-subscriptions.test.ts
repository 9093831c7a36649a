// What is executed once for many: who shares with whom, and that everybody gets what they asked for.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '#/domain/actor.ts';
import { rightsKeyOf } from '#/http/rights-key.ts';
import type { AuthenticatedCaller } from '#/http/types.ts';
import {
  callerOf,
  type HttpWorld,
  otherToken,
  personOf,
  serverToken,
  startHttp,
  ticks,
  until,
} from '../support/http-world.ts';
import { Peer } from '../support/ws-peer.ts';

const QUERY = 'subscription { ticks { id text } }';
const NARROW = 'vrs_narrow';
const STAFF = 'vrs_staff';

const staff: AuthenticatedCaller = {
  actor: {
    kind: 'STAFF',
    accountId: 'a',
    userId: 'u',
    sessionId: 's',
    label: 'staff',
    complianceReview: false,
  } as never,
  expiresAt: null,
  deprecation: null,
};

let world: HttpWorld;
const open: Peer[] = [];
beforeAll(async () => {
  const narrow = callerOf('token-3', { actor: actorWith({ tokenId: 'token-3', scopes: new Set(['EVENTS_READ']) }) });
  world = await startHttp({ callers: { [NARROW]: narrow, [STAFF]: staff } });
});
afterAll(() => world.server.close());
afterEach(async () => {
  for (const peer of open.splice(0)) peer.socket.terminate();
  await until(() => ticks.open === 0);
});

function actorWith(more: object): Actor {
  const caller = callerOf('token-1');
  if (!('actor' in caller)) throw new Error('not a token');
  return { ...caller.actor, ...more };
}

async function connected(token = serverToken): Promise<Peer> {
  const peer = await new Peer(world.wsUrl).open();
  open.push(peer);
  return peer.init({ token });
}

/** Each with its token, document and variables; when all are there, one tick: how often was it executed? */
async function executions(
  ...subscribers: readonly { readonly token?: string; readonly query?: string; readonly variables?: object }[]
): Promise<{ readonly executed: number; readonly answers: readonly unknown[] }> {
  const peers: Peer[] = [];
  for (const { token, query = QUERY, variables } of subscribers) {
    const peer = await connected(token);
    peer.subscribe('1', query, variables);
    peers.push(peer);
  }
  await until(() => ticks.open === subscribers.length);
  const before = ticks.executed;
  ticks.push('hello');
  await until(() => peers.every((peer) => peer.of('1').length === 1));
  return { executed: ticks.executed - before, answers: peers.map((peer) => peer.of('1')[0]?.payload) };
}

describe('not shared', () => {
  const WITH = 'subscription ($s: String) { ticks { text(suffix: $s) } }';

  test.each<[string, object, object]>([
    ['by tokens with other scopes', {}, { token: NARROW }],
    ['by staff, whose looks are on record', { token: STAFF }, { token: STAFF }],
    ['by documents that ask for something else', {}, { query: 'subscription { ticks { text } }' }],
    [
      'by values that are in the answer',
      { query: WITH, variables: { s: '1' } },
      { query: WITH, variables: { s: '2' } },
    ],
    ['by null and a default', { query: WITH }, { query: WITH, variables: { s: null } }],
    ['by fields that do not say that they may', ...twice({ query: 'subscription { unsharedTicks { text } }' })],
    ['behind a fragment', ...twice({ query: 'subscription { ...f } fragment f on Subscription { ticks { text } }' })],
  ])('%s', async (_, one, other) => {
    expect((await executions(one, other)).executed).toBe(2);
  });

  test.each<[string, object]>([
    ['another account', { accountId: 'b' }],
    ['another server', { serverId: 't' }],
    ['a stream', { streamId: 'x' }],
    ['another scope', { scopes: new Set(['CONTENT_READ']) }],
    ['an account token', { kind: 'ACCOUNT_TOKEN' }],
  ])('keys differ by %s', (_, more) => {
    const key = rightsKeyOf(callerOf('token-1'));
    expect(key).not.toBeNull();
    expect(rightsKeyOf(callerOf('token-1', { actor: actorWith(more) }))).not.toBe(key);
  });

  test('keys of persons differ by role, grants and what they proved', () => {
    const keyWith = (more: object) => {
      const caller = personOf('s', false);
      if (!('person' in caller)) throw new Error('not a person');
      const base = {
        kind: 'USER',
        accountId: 'a',
        role: 'MEMBER',
        grants: new Map([['s', 'READ']]),
        provedUntil: null,
      };
      return rightsKeyOf({ ...caller, person: { ...caller.person, actors: [{ ...base, ...more } as never] } });
    };
    const keys = [
      {},
      { role: 'ADMIN' },
      { grants: new Map([['s', 'ADMIN']]) },
      { grants: new Map() },
      { provedUntil: new Date(1) },
      { accountId: 'b' },
    ].map(keyWith);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyWith({ userId: 'v', sessionId: 't', label: 'Bob' })).toBe(keyWith({ userId: 'u' }));
  });
});

describe('shared', () => {
  const CHOSEN = 'subscription ($from: String) { ticks(from: $from) { text } }';
  test.each<[string, object, object]>([
    ['by two sockets of one token', {}, {}],
    ['by tokens of equal rights', {}, { token: otherToken }],
    [
      'whatever events were chosen',
      { query: CHOSEN, variables: { from: 'a' } },
      { query: CHOSEN, variables: { from: 'b' } },
    ],
  ])('%s', async (_, one, other) => {
    const { executed, answers } = await executions(one, other);
    expect(executed).toBe(1);
    expect(answers[0]).toMatchObject({ data: { ticks: { text: 'hello' } } });
    expect(answers[1]).toEqual(answers[0]);
  });

  test('and each under its own id, whatever that is', async () => {
    const peer = await connected();
    const ids = ['1', 'ü "quoted" \\ 🙂', 'x'.repeat(300)];
    for (const id of ids) peer.subscribe(id, QUERY);
    await until(() => ticks.open === 3);
    ticks.push('one', 'zwei – ü 🙂');
    await until(() => ids.every((id) => peer.of(id).length === 2));
    for (const id of ids) {
      expect(peer.of(id)).toMatchObject([
        { type: 'next', payload: { data: { ticks: { text: 'one' } } } },
        { type: 'next', payload: { data: { ticks: { text: 'zwei – ü 🙂' } } } },
      ]);
    }
  });

  test.each([10, 125, 126, 65_400, 65_536, 70_000, 3_000_000])('an answer of some %i octets', async (length) => {
    const peer = await connected();
    peer.subscribe('1', QUERY);
    await until(() => ticks.open === 1);
    ticks.push('x'.repeat(length), 'after');
    await until(() => peer.of('1').length === 2);
    expect(peer.of('1')).toMatchObject([
      { payload: { data: { ticks: { text: 'x'.repeat(length) } } } },
      { payload: { data: { ticks: { text: 'after' } } } },
    ]);
  });

  test('in order, also where answers come later', async () => {
    const peers = [await connected(), await connected(otherToken)];
    for (const peer of peers) peer.subscribe('1', 'subscription { ticks { late } }');
    await until(() => ticks.open === 2);
    const texts = Array.from({ length: 1_000 }, (_, index) => `${index}`);
    for (let first = 0; first < 1_000; first += 50) {
      ticks.push(...texts.slice(first, first + 50));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => peers.every((peer) => peer.of('1').length === 1_000));
    for (const peer of peers) {
      const seen = peer
        .of('1')
        .map(({ payload }) => (payload as { data: { ticks: { late: string } } }).data.ticks.late);
      expect(seen).toEqual(texts);
    }
  });

  test('a defect is masked for all, and the stream goes on', async () => {
    const peers = [await connected(), await connected()];
    for (const peer of peers) peer.subscribe('1', QUERY);
    await until(() => ticks.open === 2);
    ticks.push('defect', 'after');
    await until(() => peers.every((peer) => peer.of('1').length === 2));
    for (const peer of peers) {
      expect(JSON.stringify(peer.of('1'))).not.toContain('secret of an event');
      expect(peer.of('1')).toMatchObject([
        { payload: { errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL' } }] } },
        { payload: { data: { ticks: { text: 'after' } } } },
      ]);
    }
  });
});

describe('leaving', () => {
  test('the first of a group does not end the others', async () => {
    const [first, second] = [await connected(), await connected()];
    first.subscribe('1', QUERY);
    await until(() => ticks.open === 1);
    second.subscribe('1', QUERY);
    await until(() => ticks.open === 2);
    first.send({ type: 'complete', id: '1' });
    await until(() => ticks.open === 1);
    ticks.push('still here');
    await until(() => second.of('1').length === 1);
    expect(first.of('1')).toEqual([]);
  });

  test('a revoked token loses its place at once, also when its client does not answer, and nobody else does', async () => {
    const mine = await connected();
    const other = await connected(otherToken);
    for (const peer of [mine, other]) peer.subscribe('1', QUERY);
    await until(() => ticks.open === 2);
    mine.socket.pause();
    world.revoke('token-1');
    expect(ticks.open).toBe(1);
    ticks.push('not for everybody');
    await until(() => other.of('1').length === 1);
    mine.socket.resume();
    expect((await mine.closed).code).toBe(4401);
    expect(mine.of('1')).toEqual([]);
  });

  test.each([
    ['complete', (peer: Peer) => peer.send({ type: 'complete', id: '1' })],
    ['close', (peer: Peer) => peer.socket.close()],
    ['terminate', (peer: Peer) => peer.socket.terminate()],
  ])('an idle one by %s', async (_, end) => {
    const peer = await connected();
    peer.subscribe('1', QUERY);
    await until(() => ticks.open === 1);
    end(peer);
    await until(() => ticks.open === 0);
  });
});

describe('a slow reader', () => {
  test('delays nobody in its group, keeps little, and gets all in order', async () => {
    const [slow, fast] = [await connected(), await connected()];
    for (const peer of [slow, fast]) peer.subscribe('1', QUERY);
    await until(() => ticks.open === 2);
    slow.socket.pause();
    const texts = Array.from({ length: 2_000 }, (_, index) => `${index}`.padStart(20_000, '.'));
    for (let first = 0; first < texts.length; first += 100) {
      ticks.push(...texts.slice(first, first + 100));
      await until(() => fast.of('1').length === first + 100);
    }
    expect(slow.of('1').length).toBeLessThan(1_000);
    slow.socket.resume();
    await until(() => slow.of('1').length === texts.length);
    const seen = slow.of('1').map(({ payload }) => (payload as { data: { ticks: { text: string } } }).data.ticks.text);
    expect(seen.every((text, index) => text === texts[index])).toBe(true);
  });
});

function twice(asked: object): [object, object] {
  return [asked, asked];
}
