// A small schema behind the real HTTP server on a free port, and tokens that can be revoked.

import { initContextCache } from '@pothos/core';
import {
  GraphQLError,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { Registry } from 'prom-client';
import { CursorExpired, Forbidden, NotFound, Unauthenticated } from '#/domain/errors.ts';
import { makeToken } from '#/domain/token.ts';
import {
  type AuthenticatedCaller,
  createHttpServer,
  type HttpConfig,
  type HttpServerOptions,
  type RequestInfo,
} from '#/http/server.ts';
import { systemClock } from '#/runtime/clock.ts';
import type { Clock, Log } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import type { FakeClock } from './fake-clock.ts';
import { type Tick, Ticks } from './live-source.ts';

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function listLog(lines: LogLine[]): Log {
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => listLog(lines) };
}

/** A source that waits for `push`, and tells how many are open. */
export class Source {
  open = 0;
  readonly #waiting = new Set<(value: unknown) => void>();
  readonly #fail = new Set<(error: Error) => void>();

  push(value: unknown): void {
    for (const wake of [...this.#waiting]) wake(value);
  }

  fail(error: Error): void {
    for (const wake of [...this.#fail]) wake(error);
  }

  iterate(): AsyncIterable<unknown> {
    this.open += 1;
    let closed = false;
    const iterator: AsyncIterator<unknown> = {
      next: () =>
        new Promise((resolve, reject) => {
          const wake = (value: unknown) => {
            this.#waiting.delete(wake);
            this.#fail.delete(reject);
            resolve({ done: false, value });
          };
          this.#waiting.add(wake);
          this.#fail.add(reject);
        }),
      return: async () => {
        if (!closed) this.open -= 1;
        closed = true;
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
  }
}

export interface TestContext {
  readonly caller: AuthenticatedCaller | null;
  readonly request: RequestInfo;
}

function labelOf(caller: AuthenticatedCaller | null): string | null {
  if (caller === null) return null;
  return 'person' in caller
    ? `${caller.person.name} ${caller.person.byCookie ? 'by cookie' : 'by bearer'}`
    : caller.actor.label;
}

export const source = new Source();
/** Identities of the context caches that events were executed with. */
export const caches: unknown[] = [];
export const resolverSignals: AbortSignal[] = [];

const nonNullString = new GraphQLNonNull(GraphQLString);

const json = new GraphQLScalarType({ name: 'JSON' });

const node: GraphQLObjectType = new GraphQLObjectType({
  name: 'Node',
  fields: () => ({
    id: { type: nonNullString },
    children: { type: page, args: { first: { type: new GraphQLNonNull(GraphQLInt) } }, resolve: pageOf },
    tags: { type: new GraphQLList(tag), resolve: () => [{ name: 'a' }] },
    parent: { type: node, resolve: () => ({ id: 'p' }) },
  }),
});
const tag = new GraphQLObjectType({ name: 'Tag', fields: { name: { type: GraphQLString } } });
const edge = new GraphQLObjectType({ name: 'NodeEdge', fields: { node: { type: node } } });
const page = new GraphQLObjectType({ name: 'NodeConnection', fields: { edges: { type: new GraphQLList(edge) } } });

function pageOf() {
  return { edges: [{ node: { id: '1' } }, { node: { id: '2' } }] };
}

const messageInput = new GraphQLInputObjectType({ name: 'MessageInput', fields: { to: { type: nonNullString } } });
const batchInput = new GraphQLInputObjectType({
  name: 'BatchInput',
  fields: { messages: { type: new GraphQLNonNull(new GraphQLList(messageInput)) } },
});
const sent = new GraphQLObjectType({ name: 'Sent', fields: { id: { type: nonNullString } } });

export const ticks = new Ticks();

const tick = new GraphQLObjectType<Tick, TestContext>({
  name: 'Tick',
  fields: {
    id: { type: GraphQLInt },
    text: {
      type: GraphQLString,
      args: { suffix: { type: GraphQLString } },
      resolve: ({ text }, { suffix }) => {
        ticks.executed++;
        if (text === 'defect') throw new Error('secret of an event');
        return text + (suffix ?? '');
      },
    },
    /** Answers later, as what is loaded from a database. */
    late: { type: GraphQLString, resolve: async ({ text }) => text },
  },
});

export const schema = new GraphQLSchema({
  query: new GraphQLObjectType<unknown, TestContext>({
    name: 'Query',
    fields: {
      hello: {
        type: GraphQLString,
        args: { name: { type: GraphQLString } },
        resolve: (_, { name }) => `hello ${name ?? 'world'}`,
      },
      nodes: { type: page, args: { first: { type: new GraphQLNonNull(GraphQLInt) } }, resolve: pageOf },
      whoami: {
        type: GraphQLString,
        resolve: (_, __, { caller }) => labelOf(caller),
      },
      address: { type: GraphQLString, resolve: (_, __, { request }) => request.ipAddress },
      defect: {
        type: GraphQLString,
        resolve: () => {
          throw new Error('password=hunter2 in SELECT');
        },
      },
      uncoded: {
        type: GraphQLString,
        resolve: () => {
          throw new GraphQLError('internal detail');
        },
      },
      unauthenticated: { type: GraphQLString, resolve: () => Promise.reject(new Unauthenticated()) },
      forbidden: { type: GraphQLString, resolve: () => Promise.reject(new Forbidden('the token lacks X')) },
      expired: { type: GraphQLString, resolve: () => Promise.reject(new CursorExpired('c9')) },
      missing: { type: GraphQLString, resolve: () => Promise.reject(new NotFound()) },
      slow: {
        type: GraphQLString,
        resolve: (_, __, { request }) => {
          resolverSignals.push(request.signal);
          return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve('late')));
        },
      },
    },
  }),
  mutation: new GraphQLObjectType<unknown, TestContext>({
    name: 'Mutation',
    fields: {
      /** Begins a session on the device that the browser names, or a new one. */
      begin: {
        type: GraphQLString,
        resolve: (_, __, { request: { cookies } }) => {
          cookies?.startSession('first', new Date(Date.now() + 60_000));
          cookies?.startSession('second', new Date(Date.now() + 60_000));
          cookies?.rememberDevice(cookies.device ?? 'new');
          return cookies === null ? null : 'begun';
        },
      },
      end: { type: GraphQLString, resolve: (_, __, { request: { cookies } }) => cookies?.endSession() ?? 'ended' },
      sendEmail: { type: sent, args: { to: { type: nonNullString } }, resolve: () => ({ id: 'msg_1' }) },
      sendEmails: {
        type: new GraphQLList(sent),
        args: { input: { type: new GraphQLNonNull(batchInput) } },
        extensions: { cost: 1, costPerItem: { argument: 'input.messages', cost: 2 } },
        resolve: (_, { input }) => input.messages.map(() => ({ id: 'msg_1' })),
      },
      dear: { type: GraphQLString, extensions: { cost: 100 }, resolve: () => 'done' },
      echo: { type: json, args: { value: { type: json } }, resolve: () => 'ok' },
    },
  }),
  subscription: new GraphQLObjectType<unknown, TestContext>({
    name: 'Subscription',
    fields: {
      events: {
        type: GraphQLString,
        subscribe: () => source.iterate(),
        resolve: (event, _args, context) => {
          caches.push(Object.getOwnPropertySymbols(context).map((key) => Reflect.get(context, key))[0]);
          if (event === 'defect') throw new Error('secret of an event');
          return String(event);
        },
      },
      ticks: {
        type: tick,
        args: { from: { type: GraphQLString } },
        extensions: { shared: true },
        subscribe: () => ticks.follow(),
        resolve: (event) => event,
      },
      unsharedTicks: { type: tick, subscribe: () => ticks.follow(), resolve: (event) => event },
      refusedEvents: { type: GraphQLString, subscribe: () => Promise.reject(new Forbidden('events')) },
    },
  }),
});

export const serverToken = makeToken('vrs_', (length) => systemRandom.bytes(length));
export const otherToken = makeToken('vrt_', (length) => systemRandom.bytes(length));

export interface HttpWorld {
  readonly origin: string;
  readonly url: string;
  readonly wsUrl: string;
  readonly log: LogLine[];
  readonly metricsPort: number | null;
  readonly server: ReturnType<typeof createHttpServer>;
  ready: boolean;
  revoke(tokenId: string): void;
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export interface WorldOptions {
  readonly config?: Partial<HttpConfig>;
  readonly clock?: Clock;
  readonly timeouts?: NonNullable<HttpServerOptions['timeouts']>;
  readonly callers?: Record<string, AuthenticatedCaller>;
}

export function callerOf(tokenId: string, rest: Partial<AuthenticatedCaller> = {}): AuthenticatedCaller {
  return {
    actor: {
      kind: 'SERVER_TOKEN',
      accountId: 'a',
      serverId: 's',
      tokenId,
      label: `label of ${tokenId}`,
      scopes: new Set(),
      streamId: null,
    },
    expiresAt: null,
    deprecation: null,
    ...rest,
  };
}

/** Somebody with a session of this id. */
export function personOf(sessionId: string, byCookie: boolean): AuthenticatedCaller {
  const at = new Date(0);
  const times = { createdAt: at, lastSeenAt: at, expiresAt: at };
  const session = { id: sessionId, ...times, ipAddress: '', userAgent: '', secretHash: Buffer.alloc(0) };
  const person = {
    userId: 'u',
    email: 'ann@people.example',
    name: 'Ann',
    staff: false,
    secondFactor: false,
    session,
    provedUntil: null,
    requirement: null,
    memberships: [],
    actors: [],
    byCookie,
    rights: '',
  };
  return { person, expiresAt: null, deprecation: null };
}

export async function startHttp(options: WorldOptions = {}): Promise<HttpWorld> {
  const log: LogLine[] = [];
  const callers = new Map(
    Object.entries({ [serverToken]: callerOf('token-1'), [otherToken]: callerOf('token-2'), ...options.callers }),
  );
  const listeners = new Set<(ids: readonly string[]) => void>();
  const server = createHttpServer({
    schema,
    config: {
      httpHost: '127.0.0.1',
      httpPort: 0,
      httpTls: null,
      publicUrl: 'http://localhost:4000',
      trustedProxies: [],
      rateLimit: 0,
      maxCost: 50_000,
      workers: 1,
      metricsPort: null,
      leakReportKeys: [],
      ...options.config,
    },
    log: listLog(log),
    clock: options.clock ?? systemClock,
    random: systemRandom,
    authenticate: async ({ secret, byCookie }) => {
      const caller = callers.get(secret) ?? null;
      if (caller === null || 'person' in caller) return caller === null ? null : personOf(secret, byCookie);
      return byCookie ? null : caller;
    },
    createContext: (caller, request): TestContext => ({ caller, request, ...initContextCache() }),
    onRevocation: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ready: async () => world.ready,
    metrics: new Registry(),
    ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
  });
  const { port, metricsPort } = await server.listen();
  const origin = `http://127.0.0.1:${port}`;
  const world: HttpWorld = {
    origin,
    url: `${origin}/graphql`,
    wsUrl: `ws://127.0.0.1:${port}/graphql`,
    log,
    metricsPort,
    server,
    ready: true,
    revoke: (tokenId) => {
      for (const listener of listeners) listener([tokenId]);
    },
    post: (body, headers = {}) =>
      fetch(`${origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
  return world;
}

/** Closes a server whose clock stands still. */
export async function closeAt(world: HttpWorld, clock: FakeClock): Promise<void> {
  let closed = false;
  void world.server.close().then(() => {
    closed = true;
  });
  while (!closed) await clock.advance(100);
}

/** Polls, because what is awaited happens on the other side of a socket. */
export async function until(condition: () => boolean, within = 20_000): Promise<void> {
  const end = Date.now() + within;
  while (!condition()) {
    if (Date.now() > end) throw new Error('did not happen in time');
    await systemClock.sleep(5);
  }
}
