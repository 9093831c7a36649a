// Where the processor time of a message goes: acceptance alone, then delivery alone, unsigned and signed, each by a program
// of its own on one database; and what each statement of delivery costs, by pg_stat_statements. With --profile DIR the
// programs' own CPU profiles lie there besides.
import { BATCH, sendBatches } from './batch.ts';
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

export async function stages(context: Context): Promise<readonly Outcome[]> {
  const messages = context.quick ? 4_000 : 20_000;
  await using database = await startDatabase(context, PRELOAD);
  await using sink = await startSink(context.say);
  const outcomes: Outcome[] = [];
  for (const signing of ['off', 'required'] as const) {
    outcomes.push(...(await measure(context, database, sink, signing, messages)));
  }
  return outcomes;
}

async function measure(
  context: Context,
  database: OwnDatabase,
  sink: Sink,
  signing: Signing,
  messages: number,
): Promise<readonly Outcome[]> {
  const connectionString = await database.create(`stages_${signing}`);
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
  await sendBatches(accepting, `${signing}-warm-up`, 0, warmUp / BATCH);
  await client.query('select pg_stat_statements_reset()');
  const before = accepting.cpu();
  await sendBatches(accepting, signing, 10_000_000, messages / BATCH);
  const accept = cpuCost(before, accepting.cpu(), messages);
  await tell(context, client, `acceptance, signing ${signing}`, messages);
  await settle(connectionString);
  const atSink = sink.count;
  await using delivering = await start('api,delivery', accepting);
  await until(() => sink.count - atSink >= warmUp, wait('the warm-up is not delivered'));
  await client.query('select pg_stat_statements_reset()');
  const [from, beforeDelivery] = [sink.count - atSink, delivering.cpu()];
  await until(async () => (await numberFrom(client, OPEN)) === 0, wait('not all is delivered'));
  const left = warmUp + messages - from;
  const deliver = cpuCost(beforeDelivery, delivering.cpu(), left);
  await tell(context, client, `delivery, signing ${signing}`, left);
  return [...figures(`acceptance, signing ${signing}`, accept), ...figures(`delivery, signing ${signing}`, deliver)];
}

const wait = (what: string) => ({ everyMs: 5, timeoutMs: 300_000, describe: () => what });

function figures(stage: string, { program, postgres }: CpuCost): readonly Outcome[] {
  return [
    figure(`${stage}: program`, 'ms a message', [program]),
    figure(`${stage}: PostgreSQL`, 'ms a message', [postgres]),
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
