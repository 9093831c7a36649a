// Where the processor time of a message goes: acceptance alone, then delivery alone, unsigned and signed, each by a program
// of its own on one database; and what each statement of delivery costs, by pg_stat_statements. With --profile DIR the
// programs' own CPU profiles lie there besides.
import { BATCH, BATCH_BYTES, type Bodies, bodiesOf, sendBatches } from './batch.ts';
import { connect, type Connection, numberFrom, type OwnDatabase, settle, startDatabase } from './database.ts';
import { until } from './programs.ts';
import type { Signing } from './relay-run.ts';
import { type Context, type CpuCost, cpuCost, figure, type Outcome } from './scenario.ts';
import { type Serving, startServing } from './serving.ts';
import { type Sink, startSink } from './sink.ts';

const PRELOAD = { shared_preload_libraries: 'pg_stat_statements' };
const OPEN = 'select count(*) from (select from delivery_queue limit 1) as open';
const STATEMENTS = `
  select regexp_replace(substring(query from 1 for 110), '\\s+', ' ', 'g') as statement, calls, rows,
    (total_exec_time + coalesce((to_jsonb(s) ->> 'total_plan_time')::float8, 0)) * 1000 / $1 as microseconds,
    wal_bytes::float8 / $1 as wal
  from pg_stat_statements s order by total_exec_time desc limit 24`;

interface Case {
  readonly name: string;
  readonly signing: Signing;
  readonly bodies: Bodies;
  readonly messages: number;
}

const small = bodiesOf(BATCH_BYTES, BATCH);

const cases: readonly Case[] = [
  { name: '5 KB unsigned', signing: 'off', bodies: small, messages: 20_000 },
  { name: '5 KB signed', signing: 'required', bodies: small, messages: 20_000 },
  { name: '100 KB unsigned', signing: 'off', bodies: bodiesOf(102_400, 20), messages: 2_000 },
];

export async function stages(context: Context): Promise<readonly Outcome[]> {
  await using database = await startDatabase(context, PRELOAD);
  await using sink = await startSink(context.say);
  const outcomes: Outcome[] = [];
  for (const one of cases) outcomes.push(...(await measure(context, database, sink, one)));
  return outcomes;
}

async function measure(
  context: Context,
  database: OwnDatabase,
  sink: Sink,
  { name, signing, bodies, ...one }: Case,
): Promise<readonly Outcome[]> {
  const messages = context.quick ? one.messages / 5 : one.messages;
  const connectionString = await database.create(`stages_${name.replaceAll(' ', '_')}`);
  await using client = await connect(connectionString);
  await client.query('create extension pg_stat_statements');
  const start = (roles: string, beside?: Serving) =>
    startServing(context, {
      connectionString,
      settings: {
        VEREDUS_ROLES: roles,
        VEREDUS_OUTBOUND: 'relay',
        VEREDUS_RELAY_URL: `smtp://127.0.0.1:${sink.port}`,
        VEREDUS_SIGNING: signing,
      },
      ...(beside === undefined ? {} : { beside }),
    });
  await using accepting = await start('api,maintenance');
  // The first part warms the next program up, and is not counted.
  const warmUp = messages / 4;
  await sendBatches(accepting, 'warm-up', 0, warmUp / bodies.perRequest, bodies);
  await client.query('select pg_stat_statements_reset()');
  const before = accepting.cpu();
  await sendBatches(accepting, 'run', 10_000_000, messages / bodies.perRequest, bodies);
  const accept = cpuCost(before, accepting.cpu(), messages);
  await tell(context, client, `${name}: acceptance`, messages);
  await settle(connectionString);
  const atSink = sink.count;
  await using delivering = await start('api,delivery', accepting);
  await until(() => sink.count - atSink >= warmUp, wait('the warm-up is not delivered'));
  await client.query('select pg_stat_statements_reset()');
  const [from, beforeDelivery] = [sink.count - atSink, delivering.cpu()];
  await until(async () => (await numberFrom(client, OPEN)) === 0, wait('not all is delivered'));
  const left = warmUp + messages - from;
  const deliver = cpuCost(beforeDelivery, delivering.cpu(), left);
  await tell(context, client, `${name}: delivery`, left);
  return [...figures(`${name}: acceptance`, accept), ...figures(`${name}: delivery`, deliver)];
}

const wait = (what: string) => ({ everyMs: 5, timeoutMs: 300_000, describe: () => what });

function figures(stage: string, { program, postgres }: CpuCost): readonly Outcome[] {
  return [
    figure(`${stage}, program`, 'ms a message', [program]),
    figure(`${stage}, PostgreSQL`, 'ms a message', [postgres]),
  ];
}

async function tell(context: Context, client: Connection, stage: string, messages: number): Promise<void> {
  const { rows } = await client.query(STATEMENTS, [messages]);
  context.note(`statements of ${stage}`, rows);
  context.say(`${stage}: microseconds and bytes of WAL a message, calls, rows, statement`);
  for (const { statement, calls, rows: touched, microseconds, wal } of rows) {
    const cells = [Number(microseconds).toFixed(1), Math.round(Number(wal)), calls, touched];
    context.say(`${cells.map((cell) => String(cell).padStart(8)).join('')}  ${String(statement)}`);
  }
}
