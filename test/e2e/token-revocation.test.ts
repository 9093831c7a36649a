// A token that has died, in whatever way, is dead on every node within two seconds: its requests are refused, its sockets
// closed with 4401, its event streams ended; caches notwithstanding.
import { createClient } from 'graphql-ws';
import { createClient as createSseClient } from 'graphql-sse';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Node } from '#/app.ts';
import type { ServerTokenScope } from '#/domain/permissions.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { post, request } from '../support/graphql-client.ts';
import { openSession } from '../support/session.ts';
import { atMost } from '../support/time-taken.ts';

const FOLLOW = 'subscription { messageEvents { id } }';
const CREATE = `mutation ($input: CreateServerTokenInput!) { createServerToken(input: $input) {
  __typename ... on IssuedServerToken { secret token { id } } ... on Error { message } } }`;
const act = (mutation: string, type: string) =>
  `mutation ($input: ${type}!) { ${mutation}(input: $input) { __typename ... on Error { message } } }`;
const LIMIT_MS = atMost(2_000);

let app: App;
let second: Node & { readonly url: string };
let account: AppAccount;
let session: string;

beforeAll(async () => {
  app = await startApp();
  second = await app.another();
  account = await app.account();
  session = await openSession(app.node.deps, account.accountId, { email: 'ann@acme.example', role: 'ADMIN' });
});
afterAll(() => app[Symbol.asyncDispose]());

const urls = () => [app.url, second.url];
const scopes: readonly ServerTokenScope[] = ['EVENTS_READ'];

async function create(more: object = {}): Promise<{ secret: string; id: string }> {
  const input = { serverId: account.ids.server, name: 'test', scopes, ...more };
  const { createServerToken: made } = await request<{
    createServerToken: { secret: string; token: { id: string }; message?: string };
  }>(app.url, session, CREATE, { input });
  if (made.message !== undefined) throw new Error(made.message);
  return { secret: made.secret, id: made.token.id };
}

/** Resolves once the socket is let in; `closed` with the code that ended it. */
async function followBySocket(url: string, token: string): Promise<{ readonly closed: Promise<number> }> {
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { token },
    retryAttempts: 0,
    on: {
      connected: () => opened.resolve(),
      closed: (event) => {
        opened.reject(new Error('was closed at once'));
        closed.resolve(Reflect.get(Object(event), 'code'));
      },
    },
  });
  client.subscribe({ query: FOLLOW }, { next() {}, error() {}, complete() {} });
  await opened.promise;
  return { closed: closed.promise };
}

function followByEvents(url: string, token: string): { readonly ended: Promise<void> } {
  const ended = Promise.withResolvers<void>();
  const client = createSseClient({
    url: `${url}/graphql`,
    headers: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  client.subscribe({ query: FOLLOW }, { next() {}, error: () => ended.resolve(), complete: () => ended.resolve() });
  return { ended: ended.promise };
}

/** Both nodes know it, have it in their caches, and keep connections of it open, when `kill` ends it. */
async function expectDead(token: string, feeds: () => number, kill: () => Promise<unknown>): Promise<void> {
  const before = feeds();
  const sockets = await Promise.all(urls().map((url) => followBySocket(url, token)));
  const streams = urls().map((url) => followByEvents(url, token));
  await expect.poll(feeds).toBe(before + 4);
  await kill();
  const diedAt = performance.now();
  // Used without a pause, so that whatever is cached stays so.
  const refused = urls().map(async (url) => {
    while ((await post(url, token, '{ server { id } }')).errors?.[0]?.extensions?.['code'] !== 'UNAUTHENTICATED') {
      if (performance.now() - diedAt > LIMIT_MS) throw new Error(`${url} still takes the token`);
    }
  });
  expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual([4401, 4401]);
  await Promise.all([...streams.map(({ ended }) => ended), ...refused]);
  expect(performance.now() - diedAt).toBeLessThan(LIMIT_MS);
  // Nobody comes back with it.
  await expect(followBySocket(second.url, token)).rejects.toThrow();
}

const feeds = () => app.node.deps.feed.size + second.deps.feed.size;

test('revoked', async () => {
  const { secret, id } = await create();
  await expectDead(secret, feeds, () =>
    request(second.url, session, act('revokeServerToken', 'IdInput'), { input: { id } }),
  );
});

test('expired', async () => {
  const expiresAt = new Date(Date.now() + 5_000);
  const { secret } = await create({ expiresAt: expiresAt.toISOString() });
  await expectDead(secret, feeds, async () => {
    const left = expiresAt.getTime() - Date.now();
    expect(left).toBeGreaterThan(0);
    await app.node.deps.clock.sleep(left);
  });
});

test('rotated out at once, and after its overlap', async () => {
  const atOnce = await create();
  await expectDead(atOnce.secret, feeds, () =>
    request(app.url, session, act('rotateServerToken', 'RotateTokenInput'), {
      input: { id: atOnce.id, overlapSeconds: 0 },
    }),
  );
  const later = await create();
  await expectDead(later.secret, feeds, async () => {
    const input = { id: later.id, overlapSeconds: 3 };
    await request(app.url, session, act('rotateServerToken', 'RotateTokenInput'), { input });
    expect((await post(second.url, later.secret, '{ server { id } }')).errors).toBeUndefined();
    await app.node.deps.clock.sleep(3_000);
  });
});

test('found in the open', async () => {
  const { secret } = await create();
  await expectDead(secret, feeds, async () => {
    const body = JSON.stringify({ token: secret });
    const headers = { 'Content-Type': 'application/json' };
    expect((await fetch(`${second.url}/tokens/leaked`, { method: 'POST', headers, body })).status).toBe(200);
  });
});

test('its server deleted', async () => {
  const { secret } = await create();
  await expectDead(secret, feeds, () =>
    request(second.url, account.accountToken, act('deleteServer', 'IdInput'), { input: { id: account.ids.server } }),
  );
});

test('a token of an account, revoked', async () => {
  const input = { accountId: account.ids.account, name: 'Tool' };
  const document = `mutation ($input: CreateAccountTokenInput!) { createAccountToken(input: $input) {
    ... on IssuedAccountToken { secret token { id } } } }`;
  type Made = { createAccountToken: { secret: string; token: { id: string } } };
  const { secret, token } = (await request<Made>(app.url, session, document, { input })).createAccountToken;
  const ask = (url: string) => post(url, secret, '{ account { id } }');
  for (const url of urls()) expect((await ask(url)).errors).toBeUndefined();
  await request(app.url, session, act('revokeAccountToken', 'IdInput'), { input: { id: token.id } });
  const diedAt = performance.now();
  for (const url of urls()) {
    await expect.poll(async () => (await ask(url)).errors?.[0]?.extensions?.['code']).toBe('UNAUTHENTICATED');
  }
  expect(performance.now() - diedAt).toBeLessThan(LIMIT_MS);
});
