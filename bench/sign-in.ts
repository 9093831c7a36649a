// Signing in: whether an address that somebody has is answered in the same time as one that nobody has, and what fifty people
// who sign in at once take from sending.
import { hashPassword } from '#/runtime/password-hash.ts';
import { createIds } from '#/runtime/ids.ts';
import { systemClock } from '#/runtime/clock.ts';
import { systemRandom } from '#/runtime/random.ts';
import { connect, settle } from './database.ts';
import { ACCEPTED, sendEmailBody, writeLetter } from './letters.ts';
import { latencyAt, type LoadResult, startLoad } from './load.ts';
import { atMost, type Context, figure, type Outcome } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { median } from './stats.ts';

const PASSWORD = 'benchmarks of long passphrases';
const TRIES = 300;
/** Three tries of each stay below what costs a pause, also with mails. */
const PEOPLE = 100;
const AT_ONCE = 50;
const CONNECTIONS = 32;
const LETTER_BYTES = 2_048;
/** What a stranger could tell apart over a network is far more than this. */
const SAME_MS = 5;

const SIGN_IN = 'mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }';
const RESET = 'mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) }';

const known = (number: number) => `person-${number % PEOPLE}@bench.example`;
const unknown = (number: number) => `nobody-${number}@bench.example`;

export async function signIn(context: Context): Promise<readonly Outcome[]> {
  await using serving = await startServing(context, {
    // Mails of resets go to the log, which is none of this.
    settings: {
      VEREDUS_TRUSTED_PROXIES: '127.0.0.1',
      VEREDUS_ROLES: 'api,maintenance',
      VEREDUS_LOG_LEVEL: 'error',
    },
  });
  await makePeople(serving);
  return [
    ...(await compare(context, serving, 'sign-in', SIGN_IN, (email) => ({ email, password: 'not the password' }))),
    ...(await compare(context, serving, 'reset', RESET, (email) => ({ email }))),
    ...(await whileSending(context, serving)),
  ];
}

async function makePeople({ connectionString }: Serving): Promise<void> {
  const ids = createIds(systemClock, systemRandom);
  const hash = await hashPassword(PASSWORD);
  await using client = await connect(connectionString);
  for (let number = 0; number < PEOPLE; number++) {
    const email = known(number);
    await client.query(
      `insert into users (id, email, email_key, name, password_hash, created_at) values ($1, $2, $2, $2, $3, now())`,
      [ids.next(), email, hash],
    );
  }
}

/** One after the other, known and unknown in turn, each from a network of its own. */
async function compare(
  context: Context,
  serving: Serving,
  name: string,
  query: string,
  inputFor: (email: string) => object,
): Promise<readonly Outcome[]> {
  const tries = context.quick ? 30 : TRIES;
  const medians = { known: [] as number[], unknown: [] as number[] };
  const differences: number[] = [];
  for (let run = 1; run <= context.runs; run++) {
    await forgetGuesses(serving);
    const taken = { known: [] as number[], unknown: [] as number[] };
    // The first ones are for the compiler and the caches.
    for (let number = -20; number < tries; number++) {
      for (const kind of ['known', 'unknown'] as const) {
        const email = number < 0 ? unknown(1_000_000 + number) : kind === 'known' ? known(number) : unknown(number);
        const startedAt = performance.now();
        await call(serving, query, { input: inputFor(email) });
        if (number >= 0) taken[kind].push(performance.now() - startedAt);
      }
    }
    medians.known.push(median(taken.known));
    medians.unknown.push(median(taken.unknown));
    differences.push(Math.abs(median(taken.known) - median(taken.unknown)));
    context.say(`${name} ${run}: known ${ms(median(taken.known))}, unknown ${ms(median(taken.unknown))}`);
  }
  const remark = `${tries} tries each, in turn`;
  return [
    figure(`${name}, known address: median`, 'ms', medians.known),
    figure(`${name}, unknown address: median`, 'ms', medians.unknown),
    figure(`${name}: difference of the medians`, 'ms', differences, { target: atMost(SAME_MS), remark }),
  ];
}

async function whileSending(context: Context, serving: Serving): Promise<readonly Outcome[]> {
  const alone: LoadResult[] = [];
  const beside: LoadResult[] = [];
  const signedIn: number[] = [];
  const latencies: number[] = [];
  for (let run = 1; run <= context.runs; run++) {
    await forgetGuesses(serving);
    alone.push(await send(context, serving, run * 2).result);
    await settle(serving.connectionString);
    const load = send(context, serving, run * 2 + 1);
    const startedAt = performance.now();
    const crowd = signInUntil(serving, load.result);
    beside.push(await load.result);
    const taken = await crowd;
    signedIn.push((taken.length * 1_000) / (performance.now() - startedAt));
    latencies.push(median(taken));
    await settle(serving.connectionString);
    context.say(
      `sending ${run}: p99 ${ms(latencyAt(last(alone), 0.99))} alone, ${ms(latencyAt(last(beside), 0.99))} beside ${taken.length} sign-ins`,
    );
  }
  const p99 = (results: readonly LoadResult[]) => results.map((result) => latencyAt(result, 0.99));
  const rate = (results: readonly LoadResult[]) => results.map(({ items, seconds }) => items / seconds);
  return [
    figure('p99 of sendEmail', 'ms', p99(alone)),
    figure(`p99 of sendEmail beside ${AT_ONCE} sign-ins at once`, 'ms', p99(beside)),
    figure('accepted a second', '/s', rate(alone)),
    figure(`accepted a second beside ${AT_ONCE} sign-ins at once`, '/s', rate(beside)),
    figure('sign-ins a second meanwhile', '/s', signedIn),
    figure('sign-in meanwhile: median', 'ms', latencies),
  ];
}

function send(context: Context, serving: Serving, number: number) {
  const letter = writeLetter(1, LETTER_BYTES);
  return startLoad({
    port: serving.port,
    token: serving.token,
    connections: CONNECTIONS,
    bodies: [sendEmailBody(letter, `sign-in-${number}`)],
    itemsPerRequest: 1,
    first: number * 10_000_000,
    expect: { text: ACCEPTED, count: 1 },
    until: context.quick ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 15 },
  });
}

/** Each signs in again as soon as they are: milliseconds of each sign-in. */
async function signInUntil(serving: Serving, end: Promise<unknown>): Promise<readonly number[]> {
  let ended = false;
  void end.finally(() => (ended = true)).catch(() => {});
  const taken: number[] = [];
  const one = async (number: number) => {
    while (!ended) {
      const startedAt = performance.now();
      const answer = await call(serving, SIGN_IN, { input: { email: known(number), password: PASSWORD } });
      if (!answer.includes('"SignedIn"')) throw new Error(`a sign-in was answered ${answer.slice(0, 300)}`);
      taken.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => one(number)));
  return taken;
}

let networks = 0;

/** Throws for every error but that of a wrong password, which is data. */
async function call({ port }: Serving, query: string, variables: object): Promise<string> {
  const network = ++networks;
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': `10.${(network >> 16) & 255}.${(network >> 8) & 255}.${network & 255}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  if (text.includes('"errors"')) throw new Error(`${response.status}: ${text.slice(0, 300)}`);
  return text;
}

async function forgetGuesses({ connectionString }: Serving): Promise<void> {
  await using client = await connect(connectionString);
  await client.query('delete from guess_counters');
}

function last<T>(items: readonly T[]): T {
  const item = items.at(-1);
  if (item === undefined) throw new Error('there is none');
  return item;
}

const ms = (value: number) => `${Math.round(value * 10) / 10} ms`;
