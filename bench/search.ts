// `messages` with each filter and some combinations, over 100,000 and then 1,000,000 messages of one server, through the
// API: one client that asks one thing after the other, pages of 50 with recipients.
import { encodeId } from '#/domain/ids.ts';
import { connect } from './database.ts';
import { fill, vocabulary } from './fill.ts';
import { DOMAIN, mulberry32 } from './letters.ts';
import { runLoad } from './load.ts';
import { atMost, type Context, type Figure, figure, type Outcome, ratio } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { median, percentile } from './stats.ts';

type Filter = Readonly<Record<string, unknown>>;
type Random = (below: number) => number;

const DAY_MS = 24 * 3_600_000;
const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
const sender = (random: Random) => `sender-${random(vocabulary.senders)}@${DOMAIN}`;
const recipient = (random: Random) => `user-${random(vocabulary.recipients)}@mail.example`;
const topic = (random: Random) => vocabulary.words[random(vocabulary.words.length)];

/** Each kind of search; values differ from request to request. */
const searches: Readonly<Record<string, (random: Random) => Filter>> = {
  'no filter': () => ({}),
  'stream, common': () => ({ stream: 'outbound' }),
  'stream, every fifth': () => ({ stream: 'broadcast' }),
  recipient: (random) => ({ recipient: recipient(random) }),
  'recipient, unknown': (random) => ({ recipient: `nobody-${random(1e6)}@mail.example` }),
  from: (random) => ({ from: sender(random) }),
  'subject, in all': () => ({ subject: 'message' }),
  'subject, one in 1,000': (random) => ({ subject: topic(random) }),
  'subject, in ten': () => ({ subject: vocabulary.rareWord }),
  'subject, two words': (random) => ({ subject: `message ${topic(random)}` }),
  'tag, every third': () => ({ tag: vocabulary.commonTag }),
  'tag, on a hundred': () => ({ tag: vocabulary.rareTag }),
  'metadata, half of all': () => ({ metadata: { plan: 'free' } }),
  'metadata, on fifty': (random) => ({ metadata: { customer: `c-${random(vocabulary.customers)}` } }),
  'status DELIVERED': () => ({ status: 'DELIVERED' }),
  'status BOUNCED': () => ({ status: 'BOUNCED' }),
  'status SUPPRESSED': () => ({ status: 'SUPPRESSED' }),
  'status EXPIRED': () => ({ status: 'EXPIRED' }),
  'status CANCELLED': () => ({ status: 'CANCELLED' }),
  'status IN_DOUBT': () => ({ status: 'IN_DOUBT' }),
  'status DELAYED': () => ({ status: 'DELAYED' }),
  'status QUEUED': () => ({ status: 'QUEUED' }),
  'status SCHEDULED': () => ({ status: 'SCHEDULED' }),
  since: (random) => ({ since: ago(random(400) / 10) }),
  until: (random) => ({ until: ago(random(400) / 10) }),
  'since and until, a day': (random) => {
    const day = random(39);
    return { since: ago(day + 1), until: ago(day) };
  },
  'recipient and status': (random) => ({ recipient: recipient(random), status: 'DELIVERED' }),
  'tag and stream': () => ({ tag: vocabulary.commonTag, stream: 'broadcast' }),
  'tag and status': () => ({ tag: vocabulary.commonTag, status: 'BOUNCED' }),
  'subject and metadata': () => ({ subject: 'message', metadata: { plan: 'paid' } }),
  'subject, status and until': (random) => ({ subject: 'message', status: 'BOUNCED', until: ago(random(390) / 10) }),
  'from and since': (random) => ({ from: sender(random), since: ago(2) }),
  'metadata, two pairs': (random) => {
    const customer = random(vocabulary.customers);
    return { metadata: { customer: `c-${customer}`, plan: 'paid' } };
  },
};

/** Told beside the others: each filter passes many, together none, so the whole of one index has to be read. */
const ADVERSE = 'from and metadata that never meet';
const adverse = (_: Random): Filter => ({ from: `sender-1@${DOMAIN}`, metadata: { plan: 'free' } });

const QUERY = `query Search($server: ID!, $filter: MessageFilter, $after: String) {
  server(id: $server) {
    messages(first: 50, filter: $filter, after: $after) {
      edges { node { id from subject tag acceptedAt recipients { address status } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

export async function search(context: Context): Promise<readonly Outcome[]> {
  const [few, many] = context.quick ? [10_000, 50_000] : [100_000, 1_000_000];
  await using serving = await startServing(context, { settings: { VEREDUS_ROLES: 'api' } });
  context.say(`search: filling in ${few} messages …`);
  await fill(serving, { from: 0, to: few }, context.say);
  const small = await measure(context, serving);
  context.say(`search: filling in ${many - few} more …`);
  await fill(serving, { from: few, to: many }, context.say);
  const large = await measure(context, serving);
  const outcomes: Outcome[] = [];
  const worst = { p95: null as Figure | null, ratio: null as Figure | null };
  for (const [name, latencies] of large) {
    const p95 = p95Of(`${name}, p95`, latencies);
    const before = p95Of(`${name}, p95 over ${few}`, small.get(name) ?? []);
    const growth = ratio(`${name}, against ${few}`, p95, before, atMost(1.5));
    const p50 = median(latencies.map((run) => percentile(run, 0.5)));
    const remark = `p50 ${p50.toFixed(1)} ms; ${growth.value.toFixed(2)} × that over ${few}`;
    if (name === ADVERSE) {
      outcomes.push({ ...p95, remark, target: null }, { ...before, target: null, detail: true });
      continue;
    }
    outcomes.push({ ...p95, remark }, { ...before, target: null, detail: true }, { ...growth, detail: true });
    if (worst.p95 === null || p95.value > worst.p95.value) worst.p95 = p95;
    if (worst.ratio === null || growth.value > worst.ratio.value) worst.ratio = growth;
  }
  if (worst.ratio !== null)
    outcomes.unshift({ ...worst.ratio, name: 'greatest growth of a p95', remark: worst.ratio.name });
  if (worst.p95 !== null)
    outcomes.unshift({ ...worst.p95, name: 'slowest p95', remark: `${worst.p95.name} over ${many}` });
  return outcomes;
}

const p95Of = (name: string, runs: readonly Float64Array[]) =>
  figure(
    name,
    'ms',
    runs.map((run) => percentile(run, 0.95)),
    { target: atMost(25) },
  );

async function measure(context: Context, serving: Serving): Promise<Map<string, readonly Float64Array[]>> {
  const requests = context.quick ? 40 : 200;
  const measured = new Map<string, Float64Array[]>();
  const all: readonly (readonly [string, (random: Random) => Filter])[] = [
    ...Object.entries(searches),
    [ADVERSE, adverse],
  ];
  const deep = await cursorInTheMiddle(serving);
  await ask(
    serving,
    Array.from({ length: 50 }, () => bodyOf(serving, {}, null)),
    200,
  );
  for (let run = 1; run <= context.runs; run++) {
    for (const [index, [name, filter]] of all.entries()) {
      const uniform = mulberry32(run * 1_000 + index);
      const random: Random = (below) => Math.floor(uniform() * below);
      const bodies = Array.from({ length: 50 }, () => bodyOf(serving, filter(random), null));
      // Each search is prepared once by each of the processes' connections.
      await ask(serving, bodies, 10);
      measured.set(name, [...(measured.get(name) ?? []), await ask(serving, bodies, requests)]);
    }
    const name = 'no filter, a page in the middle';
    measured.set(name, [...(measured.get(name) ?? []), await ask(serving, [bodyOf(serving, {}, deep)], requests)]);
    context.say(`search ${run}: ${all.length + 1} kinds of search measured`);
  }
  return measured;
}

function bodyOf(serving: Serving, filter: Filter, after: string | null): string {
  return JSON.stringify({ query: QUERY, variables: { server: serving.serverId, filter, after } });
}

async function ask(serving: Serving, bodies: readonly string[], requests: number): Promise<Float64Array> {
  const { latencies } = await runLoad({
    port: serving.port,
    token: serving.token,
    connections: 1,
    bodies,
    itemsPerRequest: 1,
    first: 0,
    expect: { text: '"pageInfo"', count: 1 },
    until: { requests },
  });
  return latencies;
}

async function cursorInTheMiddle(serving: Serving): Promise<string> {
  await using client = await connect(serving.connectionString);
  const { rows } = await client.query(
    'select id from messages where server_id = $1 and accepted_at < $2 order by id desc limit 1',
    [serving.serverUuid, new Date(Date.now() - 20 * DAY_MS)],
  );
  return encodeId('message', String(rows[0]?.['id']));
}
