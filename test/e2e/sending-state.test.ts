// Pauses on two nodes: what one does the other knows, tells those who follow it, over WebSocket and SSE, and keeps to.
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Node } from '#/app.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';
import { openSession } from '../support/session.ts';
import { atMost } from '../support/time-taken.ts';
import { until } from '../support/webhook-world.ts';

const FOLLOW = 'subscription ($id: ID) { sendingState(serverId: $id) { paused pause { evidence } } }';
const PAUSE = 'mutation ($input: PauseSendingInput!) { pauseSending(input: $input) { __typename } }';
const RESUME = 'mutation ($input: ResumeSendingInput!) { resumeSending(input: $input) { __typename } }';
const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';
const ROUNDS = 5;

interface State {
  readonly paused: boolean;
  readonly pause: { readonly evidence: { readonly note?: string } } | null;
}

let app: App;
let second: Node & { readonly url: string };
let account: AppAccount;
let session: string;
/** All that was done: the note of each pause, null for each resume. */
const done: (string | null)[] = [];

beforeAll(async () => {
  app = await startApp();
  second = await app.another();
  account = await app.account();
  session = await openSession(app.node.deps, account.accountId, { email: 'ann@acme.example', role: 'ADMIN' });
}, 60_000);
afterAll(() => app[Symbol.asyncDispose]());

const urls = () => [app.url, second.url];

/** What it is told, as it comes. */
function follow(url: string, token: string, transport: 'websocket' | 'sse'): (string | null)[] {
  const seen: (string | null)[] = [];
  const endpoint = `${transport === 'sse' ? url : url.replace('http', 'ws')}/graphql`;
  const sink = {
    next: ({ data }: { readonly data?: unknown }) => {
      const { sendingState: state }: { sendingState: State } = Object(data);
      expect(state.paused).toBe(state.pause !== null);
      seen.push(state.pause?.evidence.note ?? null);
    },
    error: (error: unknown) => seen.push(String(error)),
    complete: () => {},
  };
  const operation = { query: FOLLOW, variables: { id: account.ids.server } };
  if (transport === 'sse')
    createSseClient({ url: endpoint, headers: { Authorization: `Bearer ${token}` }, retryAttempts: 0 }).subscribe(
      operation,
      sink,
    );
  else
    createClient({ url: endpoint, webSocketImpl: WebSocket, connectionParams: { token }, retryAttempts: 0 }).subscribe(
      operation,
      sink,
    );
  return seen;
}

async function change(url: string, note: string): Promise<void> {
  const { server: serverId } = account.ids;
  await request(url, session, PAUSE, { input: { serverId, note } });
  await request(url, session, RESUME, { input: { serverId } });
  done.push(note, null);
}

test('followers on both nodes are told of every change once and in order', async () => {
  const followers = urls().flatMap((url) =>
    [session, account.serverToken].flatMap((token) => [follow(url, token, 'websocket'), follow(url, token, 'sse')]),
  );
  // Until all are there: what they see is the end of all that was done.
  for (let round = 0; followers.some((seen) => seen.length === 0); round++) await change(app.url, `before ${round}`);
  for (let round = 0; round < ROUNDS; round++) await change(round % 2 === 0 ? app.url : second.url, `round ${round}`);
  const last = done.slice(-2 * ROUNDS);
  for (const seen of followers) {
    await until(() => seen.length >= last.length && seen.at(-2) === `round ${ROUNDS - 1}`);
    expect(seen).toEqual(done.slice(-seen.length));
  }
});

test('the other node refuses new mail within two seconds, and takes it again', async () => {
  const input = { from: 'x@acme.example', to: ['ann@r.example'], text: 'x' };
  const send = async () => {
    const { sendEmail: answer } = await request<{ sendEmail: { __typename: string } }>(
      second.url,
      account.serverToken,
      SEND,
      { input },
    );
    return answer.__typename;
  };
  expect(await send()).toBe('Message');
  const { server: serverId } = account.ids;
  await request(app.url, session, PAUSE, { input: { serverId } });
  await until(async () => (await send()) === 'SendingPaused', 'refused', atMost(2_000));
  await request(app.url, session, RESUME, { input: { serverId } });
  await until(async () => (await send()) === 'Message', 'taken', atMost(2_000));
});
