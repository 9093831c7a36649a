// An idle installation: how long one email takes from the request to the sink's 250, and its outcome from the commit to
// a subscriber. When a transaction committed is told by PostgreSQL (track_commit_timestamp): the stamp is taken before
// the log is synced, so what is told here is rather too much.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { connect, startDatabase } from './database.ts';
import { ACCEPTED, MARKER, sendEmailBody, writeLetter } from './letters.ts';
import { until } from './programs.ts';
import { atMost, type Context, figure, type Outcome } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { startOwnSink } from './sink.ts';
import { percentile } from './stats.ts';
import { wallClock } from './wall-clock.ts';

const PAUSE_MS = 50;

/** Milliseconds of the wall clock, by recipient. */
interface Times {
  readonly requested: Map<string, number>;
  readonly answered: Map<string, number>;
  readonly sunk: Map<string, number>;
  readonly told: Map<string, number>;
}

interface Latencies {
  readonly answer: readonly number[];
  readonly sink: readonly number[];
  readonly event: readonly number[];
  readonly sinkToEvent: readonly number[];
}

export async function idle(context: Context): Promise<readonly Outcome[]> {
  const emails = context.quick ? 40 : 200;
  const times: Times = { requested: new Map(), answered: new Map(), sunk: new Map(), told: new Map() };
  await using database = await startDatabase(context, { track_commit_timestamp: 'on' });
  await using sink = await startOwnSink((recipient) => times.sunk.set(recipient, wallClock()));
  await using serving = await startServing(context, {
    connectionString: database.connectionString,
    settings: { VEREDUS_OUTBOUND: 'relay', VEREDUS_RELAY_URL: `smtp://127.0.0.1:${sink.port}` },
  });
  await using _ = await subscribe(serving, times.told);
  await sendSome(serving, times, 0, 20);
  const runs: Latencies[] = [];
  for (let run = 1; run <= context.runs; run++) {
    const first = run * 10_000_000;
    await sendSome(serving, times, first, emails);
    runs.push(await measure(serving, times, first, emails));
    const last = runs.at(-1);
    context.say(
      `idle ${run}: to the sink p50 ${(percentile(last?.sink ?? [], 0.5)).toFixed(1)} ms, commit to subscriber p50 ${percentile(last?.event ?? [], 0.5).toFixed(1)} ms`,
    );
  }
  const at = (of: keyof Latencies, share: number) => runs.map((run) => percentile(run[of], share));
  return [
    figure('request to the sink’s 250, p50', 'ms', at('sink', 0.5), { target: atMost(25) }),
    figure('request to the sink’s 250, p99', 'ms', at('sink', 0.99), { target: atMost(100) }),
    figure('outcome’s commit to the subscriber, p50', 'ms', at('event', 0.5), { target: atMost(15) }),
    figure('outcome’s commit to the subscriber, p99', 'ms', at('event', 0.99)),
    figure('sink’s 250 to the subscriber, p50', 'ms', at('sinkToEvent', 0.5)),
    figure('request to its answer, p50', 'ms', at('answer', 0.5)),
  ];
}

const recipientOf = (number: number) => `customer-${String(number).padStart(MARKER.length, '0')}@mail.example`;

async function sendSome(serving: Serving, times: Times, first: number, count: number): Promise<void> {
  const body = sendEmailBody(writeLetter(7, 2_048), 'idle');
  const agent = new Agent({ keepAlive: true });
  try {
    for (let number = first; number < first + count; number++) {
      const recipient = recipientOf(number);
      const text = body.replaceAll(MARKER, String(number).padStart(MARKER.length, '0'));
      times.requested.set(recipient, wallClock());
      const answer = await post(serving, agent, text);
      times.answered.set(recipient, wallClock());
      if (!answer.includes(ACCEPTED)) throw new Error(`an unexpected answer: ${answer}`);
      await sleep(PAUSE_MS);
    }
  } finally {
    agent.destroy();
  }
  const wanted = recipientOf(first + count - 1);
  await until(() => times.told.has(wanted), {
    everyMs: 5,
    timeoutMs: 15_000,
    describe: () => `no event of ${wanted}; ${times.told.size} of ${times.requested.size} were told`,
  });
}

function post(serving: Serving, agent: Agent, body: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = {
    Authorization: `Bearer ${serving.token}`,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  };
  const call = request(
    { host: '127.0.0.1', port: serving.port, path: '/graphql', method: 'POST', agent, headers },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    },
  );
  call.once('error', reject);
  call.end(body);
  return promise;
}

async function subscribe(serving: Serving, told: Map<string, number>): Promise<AsyncDisposable> {
  const connected = Promise.withResolvers<void>();
  const client = createClient({
    url: `ws://127.0.0.1:${serving.port}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${serving.token}` },
    lazy: false,
    retryAttempts: 0,
    on: {
      connected: () => connected.resolve(),
      closed: (event) => connected.reject(new Error(`closed: ${JSON.stringify(event)}`)),
    },
  });
  client.subscribe<{ messageEvents: { recipient: string } }>(
    { query: 'subscription { messageEvents(filter: { types: [DELIVERED] }) { recipient } }' },
    {
      next({ data, errors }) {
        if (errors !== undefined) throw new Error(JSON.stringify(errors));
        if (data != null) told.set(data.messageEvents.recipient, wallClock());
      },
      error: (error) => console.error('the subscription failed', error),
      complete() {},
    },
  );
  await connected.promise;
  // The subscription is a message behind the connection.
  await sleep(500);
  return {
    async [Symbol.asyncDispose]() {
      await client.dispose();
    },
  };
}

async function measure(serving: Serving, times: Times, first: number, count: number): Promise<Latencies> {
  const recipients = Array.from({ length: count }, (_, index) => recipientOf(first + index));
  await using client = await connect(serving.connectionString);
  const { rows } = await client.query(
    `select recipient, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as committed
     from events where type = 'DELIVERED' and recipient = any($1)`,
    [recipients],
  );
  const committed = new Map(rows.map((row) => [String(row['recipient']), Number(row['committed'])]));
  const between = (from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>) =>
    recipients.map((recipient) => (to.get(recipient) ?? Number.NaN) - (from.get(recipient) ?? Number.NaN));
  return {
    answer: between(times.requested, times.answered),
    sink: between(times.requested, times.sunk),
    event: between(committed, times.told),
    sinkToEvent: between(times.sunk, times.told),
  };
}
