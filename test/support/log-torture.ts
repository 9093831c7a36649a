// The exactness of the event log: writers that commit in random order and after random delays, on several nodes, and readers
// that reconnect at random, to any node, with the last cursor they saw. At the end each must have seen what the log holds:
// each event once, and in the one order. Ids are not kept but chained into hashes, so that it can run for hours.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { connectDatabase } from '#/db/client.ts';
import { systemScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt, RETENTION_DAYS } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import { FIRST_ID } from '#/events/log.ts';
import { encodeCursor } from '#/events/cursor.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import { systemRandom } from '#/runtime/random.ts';

export interface TortureOptions {
  readonly connectionString: string;
  readonly nodes: readonly { readonly url: string; readonly deps: Deps }[];
  readonly account: { readonly accountId: string; readonly serverId: string; readonly serverToken: string };
  readonly seconds: number;
  readonly writers?: number;
  readonly readers?: number;
  /** Events after which every reader leaves, at most; without it some stay long, and one for ever. */
  readonly stay?: number;
  say?(line: string): void;
}

export interface TortureResult {
  readonly events: number;
  readonly rolledBack: number;
  readonly reconnections: number;
  /** Empty: nobody missed an event, saw one twice, or in another place than the log has it. */
  readonly failures: readonly string[];
}

const WRITERS = 32;
const READERS = 12;
const FOLLOW = 'subscription ($after: String) { messageEvents(after: $after) { id cursor } }';
/** A hash is kept so often, to tell where two orders part. */
const BLOCK = 1_000;
const PATIENCE_MS = 60_000;
/** Every so many wake-ups is lost. */
const LOST = 5;

export async function tortureLog(options: TortureOptions): Promise<TortureResult> {
  const { accountId, serverId } = options.account;
  const writers = options.writers ?? WRITERS;
  const database = connectDatabase({ connectionString: options.connectionString, maxConnections: writers + 2 });
  await using _ = database;
  const { db } = database;
  const { streamId } = await db
    .selectFrom('messageStreams')
    .select('id as streamId')
    .where('accountId', '=', accountId)
    .where('serverId', '=', serverId)
    .orderBy('id')
    .limit(1)
    .executeTakeFirstOrThrow();
  const about = { accountId, serverId, streamId };
  const stopWriting = new AbortController();
  const counts = { rolledBack: 0, reconnections: 0 };
  const readers = Array.from(
    { length: options.readers ?? READERS },
    (__, index) => new Reader(options, index, () => counts.reconnections++),
  );
  const reading = readers.map((reader) => reader.run());
  const writing = Array.from({ length: writers }, () => write(options, db, about, stopWriting.signal, counts));
  const startedAt = performance.now();
  for (let passed = 0; passed < options.seconds; ) {
    await sleep(Math.min(10, options.seconds - passed) * 1_000);
    passed = (performance.now() - startedAt) / 1_000;
    options.say?.(`${Math.round(passed)} s: the readers have ${readers.map(({ chain }) => chain.count).join(', ')}`);
  }
  stopWriting.abort();
  await Promise.all(writing);
  const log = await chainOfLog(options.connectionString, serverId);
  await untilAtRest(readers, log.count);
  // What comes too often comes after it has come once.
  await sleep(500);
  for (const reader of readers) reader.stop();
  await Promise.all(reading);
  const failures = readers.flatMap((reader) => compare(reader.name, reader.chain, log));
  return { events: log.count, ...counts, failures };
}

/** Until they have all, or none has got on for long: who reconnects every few events is behind by minutes on a busy machine. */
async function untilAtRest(readers: readonly Reader[], all: number): Promise<void> {
  const seen = () => readers.reduce((sum, { chain }) => sum + chain.count, 0);
  for (let last = { seen: seen(), at: performance.now() }; performance.now() < last.at + PATIENCE_MS; ) {
    if (readers.every(({ chain }) => chain.count >= all)) return;
    await sleep(50);
    if (seen() > last.seen) last = { seen: seen(), at: performance.now() };
  }
}

type Scope = Parameters<Parameters<typeof writeInSystemScope>[2]>[0];

async function write(
  { nodes }: TortureOptions,
  db: ReturnType<typeof connectDatabase>['db'],
  about: { accountId: string; serverId: string; streamId: string },
  signal: AbortSignal,
  counts: { rolledBack: number },
): Promise<void> {
  const scope = systemScope(db);
  // A sequence of ids for each writer: those of different processes are in no order.
  const ids = createIds(systemClock, systemRandom);
  const undo = new Error('rolled back');
  while (!signal.aborted) {
    await writeInSystemScope(scope, new Date(), async (writing: Scope) => {
      const parts = 1 + chance(3);
      for (let part = 0; part < parts; part++) {
        await append(
          writing,
          Array.from({ length: 1 + chance(4) }, () => eventOf(about, ids)),
        );
        await sleep(delay());
      }
      if (chance(10) === 0) throw undo;
    }).catch((error: unknown) => {
      if (error !== undo) throw error;
      counts.rolledBack++;
    });
    if (chance(LOST) > 0) nodes[chance(nodes.length)]?.deps.channel.nudge('events');
    await sleep(chance(20));
  }
}

function eventOf(about: { accountId: string; serverId: string; streamId: string }, ids: Deps['ids']): NewEvent {
  const messageId = ids.nextInBucket(bucketAt(new Date(), RETENTION_DAYS.default));
  return {
    ...about,
    id: ids.next(),
    messageId,
    recipient: 'ann@r.example',
    tag: null,
    metadata: null,
    type: 'EXPIRED',
    data: null,
  };
}

/** Mostly short; some transactions stay open while hundreds begin and end beside them. */
function delay(): number {
  return chance(50) === 0 ? chance(400) : chance(15);
}

function chance(below: number): number {
  return Math.floor(Math.random() * below);
}

/** The ids that somebody saw, in their order. */
class Chain {
  count = 0;
  readonly blocks: string[] = [];
  #hash = createHash('sha256');

  add(id: string): void {
    this.#hash.update(id);
    if (++this.count % BLOCK === 0) this.blocks.push(this.digest());
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

class Reader {
  readonly name: string;
  readonly chain = new Chain();
  readonly #options: TortureOptions;
  /** Events after which it drops its connection, at most; the first never does. */
  readonly #stay: number;
  /** Milliseconds that it takes now and then before it reads on. */
  readonly #dawdle: number;
  readonly #onReconnect: () => void;
  #after: string;
  #stopped = false;
  #stop: () => void = () => {};

  constructor(options: TortureOptions, index: number, onReconnect: () => void) {
    this.#options = options;
    this.#stay = options.stay ?? [Number.POSITIVE_INFINITY, 3_000, 1_000, 300][index % 4] ?? 1_000;
    this.#dawdle = index % 3 === 2 ? 200 : 0;
    this.name = `reader ${index} (stays ${this.#stay}, dawdles ${this.#dawdle} ms)`;
    this.#onReconnect = onReconnect;
    this.#after = encodeCursor(options.account.serverId, { xact: 0, id: FIRST_ID });
  }

  async run(): Promise<void> {
    for (; !this.#stopped; this.#onReconnect()) await this.#follow(1 + chance(this.#stay));
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  /** Until `most` events were seen, on a connection to any node. */
  async #follow(most: number): Promise<void> {
    const { nodes, account } = this.#options;
    const url = nodes[chance(nodes.length)]?.url ?? '';
    const sockets: WebSocket[] = [];
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: class extends WebSocket {
        constructor(...args: ConstructorParameters<typeof WebSocket>) {
          super(...args);
          sockets.push(this);
        }
      },
      connectionParams: { token: account.serverToken },
      retryAttempts: 0,
    });
    const over = Promise.withResolvers<void>();
    this.#stop = over.resolve;
    let left = Number.isNaN(most) ? Number.POSITIVE_INFINITY : most;
    client.subscribe<{ messageEvents: { id: string; cursor: string } }>(
      { query: FOLLOW, variables: { after: this.#after } },
      {
        next: ({ data, errors }) => {
          // What was under way when it left is not seen.
          if (left-- <= 0) return;
          if (!data) return over.reject(new Error(JSON.stringify(errors)));
          this.chain.add(data.messageEvents.id);
          this.#after = data.messageEvents.cursor;
          if (left === 0) over.resolve();
          if (this.#dawdle > 0 && chance(200) === 0) this.#pause(sockets);
        },
        error: () => over.resolve(),
        complete: () => over.resolve(),
      },
    );
    if (this.#stopped) over.resolve();
    await over.promise;
    left = 0;
    // Politely or not.
    if (chance(2) === 0) sockets.at(-1)?.terminate();
    await client.dispose();
  }

  #pause(sockets: readonly WebSocket[]): void {
    const socket = sockets.at(-1);
    socket?.pause();
    void sleep(chance(this.#dawdle)).then(() => socket?.resume());
  }
}

async function chainOfLog(connectionString: string, serverId: string): Promise<Chain> {
  const chain = new Chain();
  await using database = connectDatabase({ connectionString, maxConnections: 1 });
  let after = { logXact: 0, id: FIRST_ID };
  for (;;) {
    const rows = await database.db
      .selectFrom('events')
      .select(['logXact', 'id'])
      .where('serverId', '=', serverId)
      .where(({ eb, refTuple, tuple }) => eb(refTuple('logXact', 'id'), '>', tuple(after.logXact, after.id)))
      .orderBy('logXact')
      .orderBy('id')
      .limit(10_000)
      .execute();
    for (const { id } of rows) chain.add(encodeId('event', id));
    const last = rows.at(-1);
    if (last === undefined) return chain;
    after = last;
  }
}

function compare(name: string, seen: Chain, log: Chain): string[] {
  const apart = seen.blocks.findIndex((hash, index) => hash !== log.blocks[index]);
  if (apart !== -1) return [`${name}: another order between events ${apart * BLOCK} and ${(apart + 1) * BLOCK}`];
  if (seen.count !== log.count) return [`${name}: saw ${seen.count} events of ${log.count}`];
  return seen.digest() === log.digest() ? [] : [`${name}: another order among the last ${log.count % BLOCK} events`];
}
