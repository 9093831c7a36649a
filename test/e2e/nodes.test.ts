// Two processes on one database: what one accepts the other shows live, in one order and without a gap; what is revoked
// at one ends at the other within two seconds.
import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { type App, startApp } from '../support/app.ts';
import { post, request } from '../support/graphql-client.ts';
import { atMost } from '../support/time-taken.ts';

const FOLLOW = 'subscription ($after: String) { messageEvents(after: $after) { id cursor type } }';
const SEND = 'mutation ($input: SendEmailsInput!) { sendEmails(input: $input) { __typename } }';

interface Event {
  readonly id: string;
  readonly cursor: string;
  readonly type: string;
}

/** A follower that drops its connection now and then, and goes on after the last cursor it saw. */
async function follow(url: string, token: string, from: string, count: number, stopEvery: number): Promise<string[]> {
  const seen: string[] = [];
  let after = from;
  while (seen.length < count) {
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { token },
      retryAttempts: 0,
    });
    let taken = 0;
    for await (const { data } of client.iterate<{ messageEvents: Event }>({ query: FOLLOW, variables: { after } })) {
      if (!data) throw new Error('an event came without data');
      seen.push(data.messageEvents.id);
      after = data.messageEvents.cursor;
      if (seen.length === count || ++taken === stopEvery) break;
    }
    await client.dispose();
  }
  return seen;
}

async function firstCursor(app: App, token: string): Promise<string> {
  const sent = { from: 'noreply@acme.example', to: ['first@x.example'], text: 'x' };
  await request(app.url, token, SEND, { input: { messages: [sent] } });
  const query = 'query { server { events(first: 1) { edges { cursor } } } }';
  // The log shows an event once all older transactions of the whole PostgreSQL have ended, those of other tests included.
  for (;;) {
    const { server } = await request<{ server: { events: { edges: { cursor: string }[] } } }>(app.url, token, query);
    const [first] = server.events.edges;
    if (first !== undefined) return first.cursor;
  }
}

test('followers on both nodes see every event once and in the same order, from any reconnection on', {
  timeout: 60_000,
}, async () => {
  await using app = await startApp();
  const second = await app.another();
  const { serverToken } = await app.account();
  const cursor = await firstCursor(app, serverToken);
  const mails = 600;
  const events = mails * 2 + 1;
  const writers = [app.url, second.url, app.url, second.url].map(async (url, writer) => {
    for (let batch = 0; batch < mails / 4 / 10; batch++) {
      const messages = Array.from({ length: 10 }, (_, index) => ({
        from: 'noreply@acme.example',
        to: [`r${writer}-${batch}-${index}@x.example`],
        text: 'x',
      }));
      await request(url, serverToken, SEND, { input: { messages } });
    }
  });
  const followers = [
    follow(app.url, serverToken, cursor, events, 10_000),
    follow(second.url, serverToken, cursor, events, 97),
    follow(app.url, serverToken, cursor, events, 211),
  ];
  await Promise.all(writers);
  const [, ...rest] = await pageThrough(second.url, serverToken, events + 1);
  expect(new Set(rest).size).toBe(events);
  for (const seen of await Promise.all(followers)) expect(seen).toEqual(rest);
});

async function pageThrough(url: string, token: string, count: number): Promise<string[]> {
  const query =
    'query ($after: String) { server { events(first: 500, after: $after) { edges { cursor node { id } } } } }';
  const ids: string[] = [];
  let after: string | null = null;
  while (ids.length < count) {
    type Page = { server: { events: { edges: { cursor: string; node: { id: string } }[] } } };
    const { server }: Page = await request<Page>(url, token, query, { after });
    for (const { cursor, node } of server.events.edges) {
      ids.push(node.id);
      after = cursor;
    }
  }
  return ids;
}

test('a revoked token is refused by both nodes within two seconds, and its sockets are closed with 4401', async () => {
  await using app = await startApp();
  const second = await app.another();
  const account = await app.account();
  const token = await account.token(['EVENTS_READ', 'MESSAGES_SEND']);
  const closed = [app.url, second.url].map((url) => {
    const closing = Promise.withResolvers<number>();
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { token },
      retryAttempts: 0,
      on: { closed: (event) => closing.resolve(Reflect.get(Object(event), 'code')) },
    });
    client.subscribe({ query: FOLLOW }, { next() {}, error() {}, complete() {} });
    return closing.promise;
  });
  await expect.poll(() => app.node.deps.feed.size + second.deps.feed.size).toBe(2);
  expect((await post(second.url, token, '{ server { name } }')).errors).toBeUndefined();
  const revokedAt = performance.now();
  const deleted = await post(
    app.url,
    account.accountToken,
    'mutation ($input: IdInput!) { deleteServer(input: $input) { __typename } }',
    {
      input: { id: account.ids.server },
    },
  );
  expect(deleted).toMatchObject({ data: { deleteServer: { __typename: 'Deleted' } } });
  expect(await Promise.all(closed)).toEqual([4401, 4401]);
  for (const url of [app.url, second.url]) {
    await expect
      .poll(async () => (await post(url, token, '{ server { name } }')).errors?.[0]?.extensions?.['code'])
      .toBe('UNAUTHENTICATED');
  }
  expect(performance.now() - revokedAt).toBeLessThan(atMost(2_000));
  expect(app.node.deps.feed.size + second.deps.feed.size).toBe(0);
});
