// What issue and docs hold delivery to: accepted and delivered durably, beside Postfix doing the same on the same machine in
// the same run (smtp-source → Postfix → smtp-sink, unsigned). Ours is accepted by sendEmails while it is delivered, so
// both figures are of acceptance and delivery together. Then a thousand domains whose peers take their time, a backlog of
// a million, and memory.
import { backlog } from './backlog.ts';
import { BATCH_BYTES, type Bodies, bodiesOf } from './batch.ts';
import { settle } from './database.ts';
import { domainRuns } from './domain-run.ts';
import { MemoryWatch } from './memory.ts';
import { type Postfix, startPostfix } from './postfix.ts';
import { relayRun, type RelayRun, type Signing, startRelaying } from './relay-run.ts';
import { atLeast, atMost, type Context, cpuFigures, figure, type Figure, type Outcome, ratio } from './scenario.ts';
import { type Sink, startSink } from './sink.ts';

interface Case {
  readonly name: string;
  readonly signing: Signing;
  readonly bodies: Bodies;
  readonly bytes: number;
  readonly messages: number;
  /** Of Postfix's figure. */
  readonly target: number;
}

const small = bodiesOf(BATCH_BYTES, 500);
const LARGE_BYTES = 102_400;

const cases: readonly Case[] = [
  { name: '5 KB unsigned', signing: 'off', bodies: small, bytes: BATCH_BYTES, messages: 20_000, target: 3 },
  {
    name: '5 KB, two signatures',
    signing: 'required',
    bodies: small,
    bytes: BATCH_BYTES,
    messages: 20_000,
    target: 1.5,
  },
  {
    name: '100 KB unsigned',
    signing: 'off',
    bodies: bodiesOf(LARGE_BYTES, 20),
    bytes: LARGE_BYTES,
    messages: 4_000,
    target: 1.2,
  },
];

const DOMAINS = 1_000;
const DELAY_MS = 50;
const MOST_MEMORY = 700;

export async function delivery(context: Context): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  {
    await using sink = await startSink(context.say);
    await using postfixSink = await startSink(context.say);
    const postfix = await startPostfix(postfixSink, context.say);
    await using _ = typeof postfix === 'string' ? null : postfix;
    if (typeof postfix === 'string') outcomes.push({ name: 'Postfix', skipped: postfix });
    else context.note('postfix', postfix.version);
    for (const one of cases)
      outcomes.push(...(await measure(context, sink, typeof postfix === 'string' ? null : postfix, one)));
  }
  return [...outcomes, ...(await manyDomains(context)), ...(await backlog(context))];
}

async function measure(context: Context, sink: Sink, postfix: Postfix | null, one: Case): Promise<readonly Figure[]> {
  const { name, bodies, bytes } = one;
  const messages = context.quick ? one.messages / 5 : one.messages;
  await using serving = await startRelaying(context, sink, one.signing);
  const ours: RelayRun[] = [];
  const theirs: number[] = [];
  using memory = new MemoryWatch(serving.pid);
  await relayRun(serving, sink, { run: 'warm-up', first: 0, messages: messages / 2, bodies });
  await postfix?.deliver(500, bytes);
  for (let run = 1; run <= context.runs; run++) {
    await settle(serving.connectionString);
    ours.push(await relayRun(serving, sink, { run: `run-${run}`, first: run * 10_000_000, messages, bodies }));
    await settle(serving.connectionString);
    // Postfix is slower and as steady: half as many tell the same.
    if (postfix !== null) theirs.push((await postfix.deliver(messages / 2, bytes)).delivered);
    const [mine, its] = [ours.at(-1)?.delivered ?? 0, theirs.at(-1) ?? 0].map(Math.round);
    context.say(`${name} ${run}: ${mine}/s, Postfix ${its}/s`);
  }
  const delivered = figure(
    `${name}: delivered`,
    '/s',
    ours.map((run) => run.delivered),
  );
  const peer = figure(`${name}: Postfix`, '/s', theirs);
  return [
    delivered,
    ...(postfix === null ? [] : [peer, ratio(`${name}: ratio to Postfix`, delivered, peer, atLeast(one.target))]),
    ...cpuFigures(ours.map(({ cpu }) => cpu)).map((cost) => ({ ...cost, name: `${name}: ${cost.name}` })),
    ...memoryFigures(name, memory),
  ];
}

/** Shared pages once. PostgreSQL's are mostly its cache, which is as large as the operator lets it be. */
function memoryFigures(name: string, { program, postgres }: MemoryWatch): readonly Figure[] {
  return [
    figure(`${name}: memory of the program, at most`, 'MiB', [program.pss], {
      target: atMost(MOST_MEMORY),
      remark: `PSS; RSS ${Math.round(program.rss)}`,
    }),
    figure(`${name}: memory of PostgreSQL, at most`, 'MiB', [postgres.pss], { remark: 'PSS, its cache included' }),
  ];
}

async function manyDomains(context: Context): Promise<readonly Outcome[]> {
  const options = { domains: context.quick ? 100 : DOMAINS, messages: context.quick ? 4_000 : 20_000 };
  const rates = async (delayMs: number) => {
    const runs = await domainRuns(context, { ...options, delayMs });
    return figure(
      `${options.domains} domains, ${delayMs} ms an answer`,
      '/s',
      runs.map(({ delivered }) => delivered),
    );
  };
  const [near, far] = [await rates(0), await rates(DELAY_MS)];
  return [
    near,
    far,
    ratio('ratio of far to near', far, near, atLeast(0.8), 'limits of each site as they are by default'),
  ];
}
