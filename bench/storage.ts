// What one delivered email of 5 KB leaves on the disk, by table, and how much is written ahead for it.
import { BATCH_BYTES } from './batch.ts';
import { connect, type Connection, numberFrom } from './database.ts';
import { relayRun, startRelaying } from './relay-run.ts';
import { type Context, figure, type Outcome } from './scenario.ts';
import { startSink } from './sink.ts';

export async function storage(context: Context): Promise<readonly Outcome[]> {
  const messages = context.quick ? 4_000 : 50_000;
  await using sink = await startSink(context.say);
  await using serving = await startRelaying(context, sink);
  await using client = await connect(serving.connectionString);
  const sizesBefore = await tableSizes(client);
  const walBefore = await walPosition(client);
  await relayRun(serving, sink, { run: 'storage', first: 0, messages });
  const wal = (await walPosition(client)) - walBefore;
  await client.query('vacuum');
  const figures: Outcome[] = [];
  let total = 0;
  for (const [table, size] of await tableSizes(client)) {
    const bytes = (size - (sizesBefore.get(table) ?? 0)) / messages;
    total += bytes;
    if (bytes >= 10) figures.push(figure(`bytes a message in ${table}`, 'B', [bytes]));
  }
  return [
    figure('bytes a message, all tables and indexes', 'B', [total], {
      remark: `of ${BATCH_BYTES} sent, ${messages} messages`,
    }),
    ...figures,
    figure('bytes of write-ahead log a message', 'B', [wal / messages], {
      remark: 'acceptance and delivery, full-page images included',
    }),
  ];
}

async function tableSizes(client: Connection): Promise<Map<string, number>> {
  const { rows } = await client.query(`
    select regexp_replace(relname, '_[0-9]+$', '') as name, sum(pg_total_relation_size(oid))::float8 as size
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace group by 1 order by 2 desc`);
  return new Map(rows.map((row) => [String(row['name']), Number(row['size'])]));
}

const walPosition = (client: Connection) => numberFrom(client, `select pg_current_wal_lsn() - '0/0'::pg_lsn`);
