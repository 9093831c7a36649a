// The live stream: subscribers of one server with the same document, each on a socket of its own, in processes beside the
// program; what arrives a second when as much as possible is published, how late at 40 % of what is asked for, what an idle
// one costs, and what writers lose. One worker, so that the figures are those of one process; PostgreSQL, publisher and
// subscribers share the machine with it.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clients, startClients } from './live-clients.ts';
import { type Publisher, startPublisher } from './live-publisher.ts';
import { writersCost } from './live-writers.ts';
import { until } from './programs.ts';
import { atLeast, atMost, type Context, type Figure, figure, type Outcome } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { percentile } from './stats.ts';

const QUERY = 'subscription { messageEvents { id type recipient tag cursor } }';
const CLIENT_PROCESSES = 2;
/** Of the deliveries asked for, while latency is measured. */
const SHARE = 0.4;

interface Size {
  readonly subscribers: number;
  /** Deliveries a second that are asked for. */
  readonly deliveries: number;
  readonly p99: number;
  /** Published and not yet delivered to everybody: enough for the program never to wait. */
  readonly window: number;
}

const SIZES: readonly Size[] = [
  { subscribers: 500, deliveries: 100_000, p99: 60, window: 400 },
  { subscribers: 5_000, deliveries: 50_000, p99: 250, window: 40 },
];

export async function live(context: Context): Promise<readonly Outcome[]> {
  const sizes = context.quick ? SIZES.slice(0, 1) : SIZES;
  const outcomes: Outcome[] = [await idleMemory(context, context.quick ? 500 : 5_000)];
  for (const size of sizes) outcomes.push(...(await fanOut(context, size)));
  outcomes.push(...(await writersCost(context)));
  return outcomes;
}

async function idleMemory(context: Context, sockets: number): Promise<Figure> {
  const runs: number[] = [];
  for (let run = 1; run <= context.runs; run++) {
    await using serving = await startProgram(context);
    await using publisher = await startPublisher(serving);
    await using clients = await startClients(serving, CLIENT_PROCESSES);
    // What the first ones load and compile is not a matter of each.
    await clients.open(100, QUERY);
    await awaitFirst(publisher, clients);
    await clients.close();
    await sleep(2_000);
    const before = serving.memory();
    await clients.open(sockets, QUERY);
    await awaitFirst(publisher, clients);
    await sleep(3_000);
    runs.push((serving.memory() - before) / sockets / 1_024);
    context.say(`live, ${sockets} idle ${run}: ${runs.at(-1)?.toFixed(1)} KB each`);
  }
  return figure('idle subscription on a socket of its own, resident', 'KB', runs, { target: atMost(40) });
}

async function fanOut(context: Context, size: Size): Promise<readonly Figure[]> {
  const seconds = context.quick ? 3 : 10;
  const rates: number[] = [];
  const costs: number[] = [];
  const p50: number[] = [];
  const p99: number[] = [];
  const { subscribers } = size;
  await using serving = await startProgram(context);
  await using publisher = await startPublisher(serving);
  await using clients = await startClients(serving, CLIENT_PROCESSES);
  await clients.open(subscribers, QUERY);
  await awaitFirst(publisher, clients);
  for (let run = 1; run <= context.runs; run++) {
    const { rate, cost } = await asMuchAsPossible(serving, publisher, clients, { ...size, seconds });
    const late = await latencies(publisher, clients, { ...size, seconds });
    rates.push(rate);
    costs.push(cost);
    p50.push(percentile(late, 0.5));
    p99.push(percentile(late, 0.99));
    context.say(
      `live, ${subscribers} subscribers ${run}: ${Math.round(rate)} deliveries/s, ${cost.toFixed(2)} µs each, ` +
        `p50 ${p50.at(-1)?.toFixed(1)} ms, p99 ${p99.at(-1)?.toFixed(1)} ms`,
    );
  }
  const name = (what: string) => `${subscribers} subscribers: ${what}`;
  return [
    figure(name('deliveries a second'), '/s', rates, { target: atLeast(size.deliveries) }),
    figure(name('processor time of a delivery, program'), 'µs', costs),
    figure(name('commit to client at 40 % load, p50'), 'ms', p50),
    figure(name('commit to client at 40 % load, p99'), 'ms', p99, { target: atMost(size.p99) }),
  ];
}

interface Load extends Size {
  readonly seconds: number;
}

async function asMuchAsPossible(serving: Serving, publisher: Publisher, clients: Clients, load: Load) {
  const { subscribers, window, seconds } = load;
  const batch = Math.max(1, Math.floor(window / 8));
  await clients.measure(false);
  const before = { cpu: serving.cpu(), at: performance.now() };
  let published = 0;
  let arrived = { count: 0, fewest: 0 };
  for (const end = before.at + seconds * 1_000; performance.now() < end; ) {
    while (published - arrived.count / subscribers < window) {
      await publisher.publish(batch);
      published += batch;
    }
    await sleep(5);
    arrived = await clients.report();
  }
  const elapsed = (performance.now() - before.at) / 1_000;
  const { count } = await clients.report();
  const program = serving.cpu().program - before.cpu.program;
  await awaitAll(clients, published);
  return { rate: count / elapsed, cost: (program * 1e6) / count };
}

async function latencies(publisher: Publisher, clients: Clients, load: Load): Promise<Float64Array> {
  const everyMs = (1_000 * load.subscribers) / (load.deliveries * SHARE);
  await clients.measure(true);
  const startedAt = performance.now();
  const events = Math.max(20, Math.floor((load.seconds * 1_000) / everyMs));
  const publishing: Promise<void>[] = [];
  for (let index = 0; index < events; index++) {
    const due = startedAt + index * everyMs - performance.now();
    if (due > 1) await sleep(due);
    publishing.push(publisher.publish(1));
  }
  await Promise.all(publishing);
  await awaitAll(clients, events);
  return (await clients.report()).latencies;
}

/** Everybody has seen every event: a subscriber that misses one ends the run. */
function awaitAll(clients: Clients, events: number): Promise<void> {
  let fewest = 0;
  return until(
    async () => {
      ({ fewest } = await clients.report());
      return fewest >= events;
    },
    { everyMs: 50, timeoutMs: 120_000, describe: () => `a subscriber has ${fewest} of ${events} events` },
  );
}

/** Of a subscription the protocol tells nothing before its first event. */
async function awaitFirst(publisher: Publisher, clients: Clients): Promise<void> {
  await clients.measure(false);
  let all = false;
  while (!all) {
    await publisher.publish(1);
    await sleep(300);
    all = (await clients.report()).fewest > 0;
  }
  await sleep(1_000);
}

function startProgram(context: Context): Promise<Serving> {
  return startServing(context, { settings: { VEREDUS_ROLES: 'api,maintenance', VEREDUS_WORKERS: '1' } });
}
