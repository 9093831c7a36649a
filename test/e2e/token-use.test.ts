// What the wire shows of a token: where it may come from, behind a proxy and without one, and that it was rotated.
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';
import { openSession } from '../support/session.ts';

const CREATE = `mutation ($input: CreateServerTokenInput!) { createServerToken(input: $input) {
  ... on IssuedServerToken { secret token { id } } } }`;
const ROTATE = `mutation ($input: RotateTokenInput!) { rotateServerToken(input: $input) {
  ... on RotatedServerToken { previous { expiresAt rotatedAt } } } }`;

let app: App;
let behindProxy: { readonly url: string };
let account: AppAccount;
let session: string;

beforeAll(async () => {
  app = await startApp();
  behindProxy = await app.another({ VEREDUS_TRUSTED_PROXIES: '127.0.0.1, 198.51.100.0/24' });
  account = await app.account();
  session = await openSession(app.node.deps, account.accountId, { email: 'ann@acme.example', role: 'ADMIN' });
});
afterAll(() => app[Symbol.asyncDispose]());

async function create(more: object = {}) {
  type Made = { createServerToken: { secret: string; token: { id: string } } };
  const input = { serverId: account.ids.server, name: 'test', ...more };
  return (await request<Made>(app.url, session, CREATE, { input })).createServerToken;
}

const ask = (url: string, token: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
    body: '{"query":"{ server { id } }"}',
  });

async function ackOf(url: string, token: string, headers: Record<string, string> = {}): Promise<unknown> {
  const acknowledged = Promise.withResolvers<unknown>();
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: class extends WebSocket {
      constructor(address: string, protocols: string) {
        super(address, protocols, { headers });
      }
    },
    lazy: false,
    onNonLazyError: () => undefined,
    connectionParams: { token },
    retryAttempts: 0,
    on: {
      connected: (_socket, payload) => acknowledged.resolve(payload ?? null),
      closed: (event) => acknowledged.resolve(Reflect.get(Object(event), 'code')),
    },
  });
  const payload = await acknowledged.promise;
  await client.dispose();
  return payload;
}

test('a list of networks is held against the address that the connection has, whatever the client writes', async () => {
  const { secret } = await create({ allowedIps: ['203.0.113.0/24', '2001:db8::/32'] });
  for (const headers of [
    {},
    { 'X-Forwarded-For': '203.0.113.9' },
    { Forwarded: 'for=203.0.113.9' },
    { 'X-Real-Ip': '203.0.113.9' },
  ]) {
    expect((await ask(app.url, secret, headers)).status).toBe(401);
    expect(await ackOf(app.url, secret, headers)).toBe(4403);
  }
  const { secret: local } = await create({ allowedIps: ['127.0.0.1'] });
  expect((await ask(app.url, local, { 'X-Forwarded-For': '203.0.113.9' })).status).toBe(200);
});

test('behind a proxy the proxy’s word counts, and nobody’s before it', async () => {
  const { secret } = await create({ allowedIps: ['203.0.113.0/24', '2001:db8::/32'] });
  const from = async (forwarded: string) =>
    (await ask(behindProxy.url, secret, { 'X-Forwarded-For': forwarded })).status;
  for (const inside of ['203.0.113.9', '2001:db8::7', '192.0.2.1, 203.0.113.9', '203.0.113.9, 198.51.100.3'])
    expect([inside, await from(inside)]).toEqual([inside, 200]);
  for (const outside of ['192.0.2.1', '203.0.113.9, 192.0.2.1', '203.0.113.9, nonsense', '2001:db9::7', ''])
    expect([outside, await from(outside)]).toEqual([outside, 401]);
  expect(await ackOf(behindProxy.url, secret, { 'X-Forwarded-For': '203.0.113.9' })).toBeNull();
});

test('each answer to a token that is rotated out says so, and when it ends', async () => {
  const { secret, token } = await create();
  expect((await ask(app.url, secret)).headers.has('deprecation')).toBe(false);
  expect(await ackOf(app.url, secret)).toBeNull();
  type Rotated = { rotateServerToken: { previous: { expiresAt: string; rotatedAt: string } } };
  const rotated = await request<Rotated>(app.url, session, ROTATE, { input: { id: token.id } });
  const { expiresAt, rotatedAt } = rotated.rotateServerToken.previous;
  for (const url of [app.url, behindProxy.url]) {
    await expect
      .poll(async () => (await ask(url, secret)).headers.get('sunset'))
      .toBe(new Date(expiresAt).toUTCString());
    const { headers, status } = await ask(url, secret);
    expect(status).toBe(200);
    expect(headers.get('deprecation')).toBe(`@${Math.floor(Date.parse(rotatedAt) / 1_000)}`);
    expect(await ackOf(url, secret)).toEqual({ deprecation: rotatedAt, sunset: expiresAt });
  }
});
