// sendEmail, one email of 2 KB a request, 32 keep-alive connections; beside it pgbench inserting the same rows.
import { startDatabase, settle } from './database.ts';
import { ACCEPTED, type Letter, sendEmailBody, writeLetter } from './letters.ts';
import { latencyAt, type LoadResult, runLoad } from './load.ts';
import { preparePgbench } from './pgbench.ts';
import {
  atLeast,
  atMost,
  type Context,
  type CpuCost,
  cpuCost,
  cpuFigures,
  figure,
  type Figure,
  type Outcome,
  ratio,
} from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { startSink } from './sink.ts';

const CONNECTIONS = 32;
const BYTES = 2_048;

export async function send(context: Context): Promise<readonly Outcome[]> {
  const seconds = context.quick ? 3 : 15;
  const warmUpSeconds = context.quick ? 2 : 5;
  const letter = writeLetter(1, BYTES);
  const results: LoadResult[] = [];
  const limits: number[] = [];
  const costs: CpuCost[] = [];
  let withoutLimit: string | null = null;
  await using database = await startDatabase(context);
  {
    await using serving = await startServing(context, {
      connectionString: await database.create('accepting'),
      settings: { VEREDUS_ROLES: 'api,maintenance' },
    });
    const pgbench = await preparePgbench(await database.create('limit'), letter, context.say);
    if (typeof pgbench === 'string') withoutLimit = pgbench;
    for (let run = 1; run <= context.runs; run++) {
      const before = serving.cpu();
      const result = await accept(serving, letter, { run, warmUpSeconds, seconds });
      costs.push(cpuCost(before, serving.cpu(), result.next - firstOf(run)));
      results.push(result);
      await settle(database.connectionString);
      if (typeof pgbench !== 'string') limits.push(await pgbench.run(seconds));
      await settle(database.connectionString);
      context.say(`send ${run}: ${rate(results.at(-1))}/s, pgbench ${Math.round(limits.at(-1) ?? Number.NaN)}/s`);
    }
  }
  const accepted = figure('accepted a second', '/s', results.map(perSecond), { target: atLeast(2_500) });
  const latency = (share: number) => results.map((result) => latencyAt(result, share));
  return [
    accepted,
    figure('p99 of a request', 'ms', latency(0.99), { target: atMost(60) }),
    figure('p50 of a request', 'ms', latency(0.5)),
    ...compare(accepted, limits, withoutLimit),
    ...cpuFigures(costs),
    ...(await whileDelivering(context, letter, { warmUpSeconds, seconds })),
  ];
}

function compare(accepted: Figure, limits: readonly number[], withoutLimit: string | null): readonly Outcome[] {
  if (withoutLimit !== null) return [{ name: 'ratio to pgbench', skipped: withoutLimit }];
  const limit = figure('pgbench commits a second', '/s', limits, { remark: 'same rows, prepared, 32 clients' });
  return [limit, ratio('ratio to pgbench', accepted, limit, atLeast(0.2))];
}

/** As extra information: the same with everything that is accepted going out at once. */
async function whileDelivering(
  context: Context,
  letter: Letter,
  times: { readonly warmUpSeconds: number; readonly seconds: number },
): Promise<readonly Figure[]> {
  await using sink = await startSink(context.say);
  await using serving = await startServing(context, {
    settings: { VEREDUS_OUTBOUND: 'relay', VEREDUS_RELAY_URL: `smtp://127.0.0.1:${sink.port}` },
  });
  const results: LoadResult[] = [];
  for (let run = 1; run <= context.runs; run++) {
    const before = sink.count;
    results.push(await accept(serving, letter, { run, ...times }));
    context.say(`send while delivering ${run}: ${rate(results.at(-1))}/s, ${sink.count - before} delivered meanwhile`);
    await settle(serving.connectionString);
  }
  return [
    figure('accepted a second, while delivering', '/s', results.map(perSecond)),
    figure(
      'p99 of a request, while delivering',
      'ms',
      results.map((result) => latencyAt(result, 0.99)),
    ),
  ];
}

function accept(
  serving: Serving,
  letter: Letter,
  { run, warmUpSeconds, seconds }: { readonly run: number; readonly warmUpSeconds: number; readonly seconds: number },
): Promise<LoadResult> {
  return runLoad({
    port: serving.port,
    token: serving.token,
    connections: CONNECTIONS,
    bodies: [sendEmailBody(letter, `send-${run}`)],
    itemsPerRequest: 1,
    first: firstOf(run),
    expect: { text: ACCEPTED, count: 1 },
    until: { warmUpSeconds, seconds },
  });
}

const firstOf = (run: number) => run * 10_000_000;
const perSecond = ({ items, seconds }: LoadResult) => items / seconds;
const rate = (result: LoadResult | undefined) => (result === undefined ? 'none' : Math.round(perSecond(result)));
