// The process that a client is connected to ends, and another takes its place: what the client shows has no gap and nothing
// twice. With graphql-ws's own way to come back, alone and below urql and Apollo.
import { ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client as UrqlClient, subscriptionExchange } from '@urql/core';
import { type Client, createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { type App, type AppAccount, startApp } from '../support/app.ts';
import { request } from '../support/graphql-client.ts';
import { resuming } from '../support/resuming.ts';

const FOLLOW = 'subscription ($after: String) { messageEvents(after: $after) { __typename id cursor } }';
const SEND = 'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { __typename } }';
const PAGE = 'query { server { events(first: 500) { edges { cursor node { id } } } } }';

/** The log waits for the oldest transaction of the whole PostgreSQL: also for those of tests beside this one. */

interface Followed {
  readonly messageEvents: { readonly id: string };
}

/** Follows from `after` on and tells each id; answers the way to stop. */
type Follow = (client: Client, after: string, onId: (id: string) => void) => () => void;

const ways: readonly (readonly [string, Follow])[] = [
  [
    'graphql-ws',
    (client, after, onId) =>
      client.subscribe<Followed>(
        { query: FOLLOW, variables: { after } },
        {
          next: ({ data }) => data && onId(data.messageEvents.id),
          error: (error) => console.error(error),
          complete() {},
        },
      ),
  ],
  [
    'urql',
    (client, after, onId) => {
      const urql = new UrqlClient({
        url: 'http://unused.example',
        preferGetMethod: false,
        exchanges: [
          subscriptionExchange({
            forwardSubscription: ({ query = '', variables }) => ({
              subscribe: (sink) => ({
                unsubscribe: client.subscribe({ query, ...(variables && { variables }) }, sink as never),
              }),
            }),
          }),
        ],
      });
      return urql.subscription<Followed>(FOLLOW, { after }).subscribe(({ data }) => data && onId(data.messageEvents.id))
        .unsubscribe;
    },
  ],
  [
    'Apollo Client',
    (client, after, onId) => {
      const apollo = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(client) });
      const subscription = apollo
        .subscribe<Followed>({ query: gql(FOLLOW), variables: { after }, fetchPolicy: 'no-cache' })
        .subscribe(({ data }) => data && onId(data.messageEvents.id));
      return () => {
        subscription.unsubscribe();
        apollo.stop();
      };
    },
  ],
];

test.each(ways)('%s', { timeout: 60_000 }, async (_, follow) => {
  await using app = await startApp({ VEREDUS_RATE_LIMIT: '0', VEREDUS_ROLES: 'api' });
  const account = await app.account();
  await send(app, account, 'first');
  const [start] = await page(app, account, 1);
  let node = await app.another();
  let connections = 0;
  const closes: unknown[] = [];
  const client = createClient({
    url: () => `${node.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { token: account.serverToken },
    retryAttempts: 20,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
    on: {
      connected: () => connections++,
      closed: (event) => closes.push(Reflect.get(Object(event), 'code')),
    },
  });
  const ids: string[] = [];
  const stop = follow(resuming(client), start?.cursor ?? '', (id) => ids.push(id));
  for (let restart = 0; restart < 2; restart++) {
    await send(app, account, `before-${restart}`);
    await expect.poll(() => ids.length).toBe(restart * 2 + 1);
    const leaving = node;
    node = await app.another();
    const left = leaving[Symbol.asyncDispose]();
    await send(app, account, `while-${restart}`);
    await left;
    await expect.poll(() => connections).toBe(restart + 2);
    await expect.poll(() => ids.length).toBe(restart * 2 + 2);
  }
  expect(closes).toEqual([1001, 1001]);
  const [, ...log] = await page(app, account, 5);
  expect(ids).toEqual(log.map(({ node: { id } }) => id));
  stop();
  await client.dispose();
});

async function send(app: App, { serverToken }: AppAccount, name: string): Promise<void> {
  const input = { from: 'noreply@acme.example', to: [`${name}@x.example`], text: 'x' };
  await request(app.url, serverToken, SEND, { input });
}

interface Edge {
  readonly cursor: string;
  readonly node: { readonly id: string };
}

/** All events, as soon as the log shows so many. */
async function page(app: App, { serverToken }: AppAccount, count: number): Promise<readonly Edge[]> {
  for (;;) {
    const { server } = await request<{ server: { events: { edges: readonly Edge[] } } }>(app.url, serverToken, PAGE);
    if (server.events.edges.length >= count) return server.events.edges;
  }
}
