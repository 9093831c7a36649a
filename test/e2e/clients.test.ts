// Clients that nobody here wrote: query, mutation and subscription of each against the real application.
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient, type Client as WsClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { SendEmailDocument } from '../gql/graphql.ts';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';

const SERVER = 'query { server { name deliveryType } }';
const SEND = SendEmailDocument.toString();
const followFrom = (after: string) =>
  `subscription { messageEvents(after: "${after}", filter: { recipient: "ann@receiver.example" }) { __typename type recipient cursor ... on DeliveredEvent { response } } }`;
const input = { from: 'noreply@acme.example', to: ['ann@receiver.example'], subject: 'Hello', text: 'It works.' };

interface Followed {
  readonly messageEvents: { readonly __typename: string; readonly type: string; readonly recipient: string };
}

let app: App;
let account: AppAccount;

beforeAll(async () => {
  app = await startApp();
  account = await app.account();
});
afterAll(() => app[Symbol.asyncDispose]());

const wsUrl = () => `${app.url.replace('http', 'ws')}/graphql`;
const headers = () => ({ Authorization: `Bearer ${account.serverToken}` });

function wsClient(): WsClient {
  return createWsClient({
    url: wsUrl(),
    webSocketImpl: WebSocket,
    connectionParams: { token: account.serverToken },
    retryAttempts: 0,
  });
}

/** The two events of one mail, whichever client follows them. */
const expectBoth = (events: readonly Followed[]) =>
  expect(
    events.map(({ messageEvents }) => [messageEvents.__typename, messageEvents.type, messageEvents.recipient]),
  ).toEqual([
    ['AcceptedEvent', 'ACCEPTED', 'ann@receiver.example'],
    ['DeliveredEvent', 'DELIVERED', 'ann@receiver.example'],
  ]);

/** Collects two events that `send` makes. */
async function collect(
  subscribe: (document: string, next: (event: Followed) => void) => Promise<() => void> | (() => void),
  send: () => Promise<unknown>,
): Promise<Followed[]> {
  const events: Followed[] = [];
  const both = Promise.withResolvers<void>();
  // A subscription "from now" begins when the server has it, of which these protocols tell nothing.
  const { server } = await request<{ server: { eventCursor: string } }>(
    app.url,
    account.serverToken,
    '{ server { eventCursor } }',
  );
  const stop = await subscribe(followFrom(server.eventCursor), (event) => {
    events.push(event);
    if (events.length === 2) both.resolve();
  });
  await expect.poll(() => app.node.deps.feed.size).toBe(1);
  await send();
  await both.promise;
  stop();
  await expect.poll(() => app.node.deps.feed.size).toBe(0);
  return events;
}

async function sendByFetch(): Promise<void> {
  await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...headers(), 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: SEND, variables: { input } }),
  });
}

describe('graphql-ws', () => {
  test('query and mutation', async () => {
    const client = wsClient();
    const answer = await first(client.iterate({ query: SERVER }));
    expect(answer).toMatchObject({ data: { server: { name: 'Production', deliveryType: 'SANDBOX' } } });
    const other = { ...input, to: ['bob@receiver.example'] };
    expect(await first(client.iterate({ query: SEND, variables: { input: other } }))).toMatchObject({
      data: { sendEmail: { __typename: 'Message', subject: 'Hello' } },
    });
    await client.dispose();
  });

  test('subscription', async () => {
    const client = wsClient();
    const events = await collect(
      (query, next) =>
        client.subscribe<Followed>(
          { query },
          { next: ({ data }) => data && next(data), error: (error) => console.error(error), complete() {} },
        ),
      sendByFetch,
    );
    expectBoth(events);
    await client.dispose();
  });
});

test('graphql-sse: subscription', async () => {
  const client = createSseClient({ url: `${app.url}/graphql`, headers });
  const events = await collect(
    (query, next) =>
      client.subscribe<Followed>(
        { query },
        { next: ({ data }) => data && next(data), error: (error) => console.error(error), complete() {} },
      ),
    sendByFetch,
  );
  expectBoth(events);
  client.dispose();
});

test('urql: query, mutation, subscription', async () => {
  const socket = wsClient();
  const client = new Client({
    url: `${app.url}/graphql`,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: headers() }),
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query, ...(variables === undefined ? {} : { variables }) }, sink as never),
          }),
        }),
      }),
    ],
  });
  expect((await client.query(SERVER, {}).toPromise()).data).toMatchObject({ server: { name: 'Production' } });
  const events = await collect(
    (query, next) => {
      const { unsubscribe } = client.subscription<Followed>(query, {}).subscribe(({ data }) => data && next(data));
      return unsubscribe;
    },
    async () => {
      const { data } = await client.mutation(SEND, { input }).toPromise();
      expect(data).toMatchObject({ sendEmail: { __typename: 'Message' } });
    },
  );
  expectBoth(events);
  await socket.dispose();
});

test('Apollo Client: query, mutation, subscription', async () => {
  const socket = wsClient();
  const client = new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: { Error: ['InvalidInput'], MessageEvent: ['AcceptedEvent', 'DeliveredEvent'] },
    }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === 'subscription',
      new GraphQLWsLink(socket),
      new HttpLink({ uri: `${app.url}/graphql`, headers: headers() }),
    ),
  });
  expect((await client.query({ query: gql(SERVER) })).data).toMatchObject({ server: { name: 'Production' } });
  const events = await collect(
    (query, next) => {
      const subscription = client
        .subscribe<Followed>({ query: gql(query) })
        .subscribe(({ data }) => data && next(data));
      return () => subscription.unsubscribe();
    },
    async () => {
      const { data } = await client.mutate({ mutation: gql(SEND), variables: { input } });
      expect(data).toMatchObject({ sendEmail: { __typename: 'Message' } });
    },
  );
  expectBoth(events);
  client.stop();
  await socket.dispose();
});

async function first<T>(iterator: AsyncIterableIterator<T>): Promise<T | undefined> {
  for await (const value of iterator) return value;
  return undefined;
}
