// What it costs to know who a token is, from the headers to the actor: for one request in the steady state, and as a share of the processor time that the
// program takes for one accepted email, measured beside it.
import { connectDatabase } from '#/db/client.ts';
import { createChannel } from '#/events/channel.ts';
import { refuseTokenInUrl, tokenInHeaders } from '#/http/credentials.ts';
import { LiveTokens } from '#/http/live-tokens.ts';
import { createTokenCheck } from '#/resolvers/tokens/token-check.ts';
import { systemClock } from '#/runtime/clock.ts';
import type { Log } from '#/runtime/ports.ts';
import { settle } from './database.ts';
import { ACCEPTED, sendEmailBody, writeLetter } from './letters.ts';
import { runLoad } from './load.ts';
import { atMost, type Context, cpuCost, figure, type Outcome } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { median } from './stats.ts';

const CONNECTIONS = 32;
const BYTES = 2_048;
/** As many requests as are under way at once. */
const AT_ONCE = CONNECTIONS;

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

export async function tokens(context: Context): Promise<readonly Outcome[]> {
  await using serving = await startServing(context, { settings: { VEREDUS_ROLES: 'api,maintenance' } });
  const checks: number[] = [];
  const queries: number[] = [];
  const sends: number[] = [];
  for (let run = 1; run <= context.runs; run++) {
    const { microseconds, queriesPerSecond } = await checkMany(context, serving);
    checks.push(microseconds);
    queries.push(queriesPerSecond);
    sends.push(await sendMany(context, serving, run));
    await settle(serving.connectionString);
    context.say(`tokens ${run}: ${microseconds.toFixed(2)} µs to authenticate, ${sends.at(-1)?.toFixed(0)} µs a send`);
  }
  const share = (median(checks) / median(sends)) * 100;
  return [
    figure('authentication of one request, processor time of all threads', 'µs', checks),
    figure('one send, processor time of the program', 'µs', sends),
    figure('share of authentication in sending', '%', [share], { target: atMost(3) }),
    figure('queries a second while authenticating without a pause', '/s', queries, {
      remark: 'the sweep and the refresh of one token; no request waits for either',
    }),
  ];
}

/** All that stands between a request and its actor, with a real database, as a process of the program has it. */
async function checkMany(context: Context, { connectionString, token }: Serving) {
  await using connection = connectDatabase({ connectionString, maxConnections: 4 });
  await using channel = createChannel({ connectionString, clock: systemClock, log });
  let queries = 0;
  const db = connection.db.withPlugin({
    transformQuery({ node }) {
      queries++;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await using check = createTokenCheck({ db, clock: systemClock, channel, log });
  const live = new LiveTokens(
    {
      authenticate: ({ secret, ipAddress }) => check.check(secret, ipAddress),
      onRevocation: (listener) => check.onRevocation(listener),
    },
    systemClock,
    log,
  );
  const headers = { authorization: `Bearer ${token}` };
  const authenticate = () => {
    refuseTokenInUrl('/graphql');
    const secret = tokenInHeaders(headers) ?? '';
    return live.authenticate({ secret, ipAddress: '127.0.0.1', byCookie: false });
  };
  const rounds = context.quick ? 5_000 : 100_000;
  const round = async () => {
    const found = await Promise.all(Array.from({ length: AT_ONCE }, authenticate));
    if (found.includes(null)) throw new Error('a good token was refused');
    // As between requests: what the database has answered is read.
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let warm = 0; warm < rounds / 10; warm++) await round();
  queries = 0;
  const startedAt = performance.now();
  const before = process.cpuUsage();
  for (let done = 0; done < rounds; done++) await round();
  const { user, system } = process.cpuUsage(before);
  live.close();
  const seconds = (performance.now() - startedAt) / 1_000;
  return { microseconds: (user + system) / (rounds * AT_ONCE), queriesPerSecond: queries / seconds };
}

/** Microseconds of processor time for each accepted email: the program's alone, without PostgreSQL's. */
async function sendMany(context: Context, serving: Serving, run: number): Promise<number> {
  const first = run * 10_000_000;
  const before = serving.cpu();
  const { next } = await runLoad({
    port: serving.port,
    token: serving.token,
    connections: CONNECTIONS,
    bodies: [sendEmailBody(writeLetter(1, BYTES), `tokens-${run}`)],
    itemsPerRequest: 1,
    first,
    expect: { text: ACCEPTED, count: 1 },
    until: context.quick ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 15 },
  });
  return cpuCost(before, serving.cpu(), next - first).program * 1_000;
}
