// The ways between nodes that the live stream rests on: how many events one node can read from the log, how many wake-ups
// PostgreSQL hands out, and what both cost it. They tell how many nodes and events these ways carry (docs/events.md).
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDatabase } from '#/db/client.ts';
import { systemScope, writeInSystemScope } from '#/db/scope.ts';
import { bucketAt, RETENTION_DAYS } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import { createChannel } from '#/events/channel.ts';
import { FIRST_ID, readLog } from '#/events/log.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import { createLog } from '#/runtime/log.ts';
import { systemRandom } from '#/runtime/random.ts';
import { cpuSeconds, parentOf } from './cpu.ts';
import { connect, numberFrom, startDatabase } from './database.ts';
import { type Context, type Figure, figure, type Outcome } from './scenario.ts';
import { percentile } from './stats.ts';

/** As a follower reads. */
const PAGE = 1_000;
const BATCH = 1_000;
const NODES = [2, 8, 32];

export async function feed(context: Context): Promise<readonly Outcome[]> {
  await using database = await startDatabase(context);
  const connectionString = await database.create('feed');
  await using client = await connect(connectionString);
  const postmaster = parentOf(await numberFrom(client, 'select pg_backend_pid()')) ?? 0;
  const events = context.quick ? 20_000 : 200_000;
  await fillLog(connectionString, events);
  const outcomes: Figure[] = [...(await readAll(context, connectionString, postmaster, events))];
  for (const nodes of NODES) outcomes.push(...(await wakeUps(context, connectionString, postmaster, nodes)));
  return outcomes;
}

async function fillLog(connectionString: string, events: number): Promise<void> {
  await using database = connectDatabase({ connectionString, maxConnections: 1 });
  const ids = createIds(systemClock, systemRandom);
  const [accountId, serverId, streamId] = [ids.next(), ids.next(), ids.next()];
  const bucket = bucketAt(new Date(), RETENTION_DAYS.default);
  for (let first = 0; first < events; first += BATCH) {
    await writeInSystemScope(systemScope(database.db), new Date(), (scope) =>
      append(
        scope,
        Array.from({ length: BATCH }, () => ({
          id: ids.next(),
          accountId,
          serverId,
          streamId,
          messageId: ids.nextInBucket(bucket),
          recipient: 'ann.customer@mail.example',
          tag: 'receipt',
          metadata: { customer: 'c-4711' },
          type: 'DELIVERED',
          data: { remoteHost: 'mx.mail.example', response: '250 2.0.0 Ok: queued as 4F9A1B2C3D' },
        })),
      ),
    );
  }
}

/** One node, from the first event to the last, as fast as it can. */
async function readAll(context: Context, connectionString: string, postmaster: number, events: number) {
  await using database = connectDatabase({ connectionString, maxConnections: 1 });
  const rates: number[] = [];
  const own: number[] = [];
  const postgres: number[] = [];
  for (let run = 1; run <= context.runs; run++) {
    const before = { at: performance.now(), cpu: process.cpuUsage(), postgres: cpuSeconds(postmaster) };
    let read = 0;
    for (let after = { xact: 0, id: FIRST_ID }; read < events; ) {
      const page = await readLog(database.db, after, PAGE);
      read += page.events.length;
      after = page.events.at(-1)?.position ?? after;
    }
    const { user, system } = process.cpuUsage(before.cpu);
    rates.push((events * 1_000) / (performance.now() - before.at));
    own.push((user + system) / events);
    postgres.push(((cpuSeconds(postmaster) - before.postgres) * 1e6) / events);
  }
  return [
    figure('events that one node reads a second', '/s', rates),
    figure('processor time of one event, node', 'µs', own),
    figure('processor time of one event for each node that reads it, PostgreSQL', 'µs', postgres),
  ];
}

/** All nodes wake all others as often as they may. */
async function wakeUps(context: Context, connectionString: string, postmaster: number, nodes: number) {
  const log = createLog({ level: 'warn' });
  const seconds = context.quick ? 2 : 5;
  await using stack = new AsyncDisposableStack();
  const channels = Array.from({ length: nodes }, () =>
    stack.use(createChannel({ connectionString, clock: systemClock, log })),
  );
  await sleep(1_000 + nodes * 20);
  let heard = 0;
  for (const channel of channels) channel.on('queue', () => heard++);
  const quiet: number[] = [];
  for (let count = 0; count < 50; count++) {
    await sleep(10);
    quiet.push(await wakeUpTime(channels));
  }
  heard = 0;
  const before = { at: performance.now(), postgres: cpuSeconds(postmaster) };
  const busy: number[] = [];
  const end = before.at + seconds * 1_000;
  const nudging = (async () => {
    while (performance.now() < end) {
      for (const channel of channels) channel.nudge('queue');
      await sleep(1);
    }
  })();
  while (performance.now() < end) {
    await sleep(20);
    busy.push(await wakeUpTime(channels));
  }
  await nudging;
  const elapsed = (performance.now() - before.at) / 1_000;
  const name = (what: string) => `${nodes} nodes: ${what}`;
  return [
    figure(name('one wakes another, quiet, p50'), 'ms', [percentile(quiet, 0.5)]),
    figure(name('one wakes another while all wake all, p50'), 'ms', [percentile(busy, 0.5)]),
    figure(name('one wakes another while all wake all, p99'), 'ms', [percentile(busy, 0.99)]),
    figure(name('wake-ups heard'), '/s', [heard / elapsed]),
    figure(name('processors that PostgreSQL uses for it'), '', [(cpuSeconds(postmaster) - before.postgres) / elapsed]),
  ];
}

/** From one node's nudge to the last other that hears it. */
async function wakeUpTime(channels: readonly ReturnType<typeof createChannel>[]): Promise<number> {
  const [from, ...others] = channels;
  const startedAt = performance.now();
  const all = others.map(
    (channel) =>
      new Promise<void>((resolve) => {
        const stop = channel.on('config', () => {
          stop();
          resolve();
        });
      }),
  );
  from?.nudge('config');
  await Promise.all(all);
  return performance.now() - startedAt;
}
