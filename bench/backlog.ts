// The end-to-end run again, with a million recipients that wait for a later time.
import { connectDatabase } from '#/db/client.ts';
import { ensurePartitions } from '#/db/partitions.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { connect, settle } from './database.ts';
import { DOMAIN } from './letters.ts';
import { relayRun, startRelaying } from './relay-run.ts';
import { atLeast, type Context, figure, type Outcome, ratio } from './scenario.ts';
import type { Serving } from './serving.ts';
import { startSink } from './sink.ts';

export async function backlog(context: Context): Promise<readonly Outcome[]> {
  const messages = context.quick ? 4_000 : 20_000;
  const waiting = context.quick ? 50_000 : 1_000_000;
  await using sink = await startSink(context.say);
  await using serving = await startRelaying(context, sink);
  let next = 0;
  const measure = async (name: string) => {
    const rates: number[] = [];
    for (let run = 1; run <= context.runs; run++) {
      await settle(serving.connectionString);
      next += 10_000_000;
      rates.push((await relayRun(serving, sink, { run: `${name}-${run}`, first: next, messages })).delivered);
      context.say(`backlog, ${name} ${run}: ${Math.round(rates.at(-1) ?? 0)}/s`);
    }
    return rates;
  };
  await relayRun(serving, sink, { run: 'warm-up', first: 0, messages: context.quick ? 2_000 : 10_000 });
  const before = figure('delivered a second, nothing waiting', '/s', await measure('before'));
  context.say(`backlog: ${waiting} recipients are put to wait …`);
  const startedAt = performance.now();
  await putToWait(serving, waiting);
  context.say(`backlog: that took ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  const after = figure(`delivered a second, ${waiting} waiting`, '/s', await measure('after'));
  return [before, after, ratio('ratio of the two', after, before, atLeast(0.9), 'less than 10 % slower')];
}

/** Rows of one statement. */
const SET = 100_000;

/**
 * Accepted within the last hour and due within ten days. Ids rise, so that every index but those of times is appended to:
 * a million take a minute or two. Search terms and the log are left out: what waits is not read there.
 */
async function putToWait(serving: Serving, count: number): Promise<void> {
  const now = Date.now();
  {
    await using database = connectDatabase({ connectionString: serving.connectionString, maxConnections: 1 });
    await ensurePartitions(database.db, new Date(now - 3_600_000), [RETENTION_DAYS.default]);
  }
  await using client = await connect(serving.connectionString);
  const { rows } = await client.query(
    `select id from message_streams where account_id = $1 and server_id = $2 and kind = 'BROADCAST'`,
    [serving.accountUuid, serving.serverUuid],
  );
  for (let first = 0; first < count; first += SET) {
    await client.query('drop table if exists waiting');
    await client.query(WAITING, [first, Math.min(first + SET, count), now - 3_600_000, 3_600_000 / count]);
    for (const insert of INSERTS) {
      await client.query(
        insert,
        [serving.accountUuid, serving.serverUuid, rows[0]?.['id'], DOMAIN].slice(0, places(insert)),
      );
    }
  }
  // What autovacuum does within minutes of it.
  await client.query('vacuum (analyze)');
  await client.query('checkpoint');
}

/** Of the highest parameter. */
const places = (statement: string) => Math.max(...[...statement.matchAll(/\$(\d)/g)].map(([, place]) => Number(place)));

const WAITING = `
  create temporary table waiting as
  with timed as (
    select i, to_timestamp(ms / 1000) as accepted_at, ms
    from generate_series($1::int, $2::int - 1) as i cross join lateral (select $3::float8 + i * $4::float8 as ms) as m),
  bucketed as (
    select *, accepted_at + interval '${RETENTION_DAYS.default} days' as expires_at,
      floor(extract(epoch from accepted_at + interval '${RETENTION_DAYS.default} days') / 604800)::int as bucket from timed)
  select i, bucket, accepted_at, expires_at, accepted_at + interval '1 day' + (i % 777777) * interval '1 second' as due_at,
    'user-' || i || '@mail.example' as address,
    (lpad(to_hex(ms::bigint), 12, '0') || '7' || lpad(to_hex(bucket & 4095), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid as id
  from bucketed`;

const INSERTS = [
  `insert into messages (bucket, account_id, id, server_id, stream_id, from_address, from_key, subject, accepted_at, send_at,
     deliver_by, expires_at, message_id_header, size, sandboxed)
   select bucket, $1::uuid, id, $2::uuid, $3::uuid, 'shop@' || $4::text, 'shop@' || $4, 'Message ' || i, accepted_at, due_at,
     due_at + interval '48 hours', expires_at, '<' || id || '@' || $4 || '>', 5120, false from waiting`,
  `insert into message_contents (bucket, account_id, message_id, piece, body)
   select bucket, $1::uuid, id, 0, decode(repeat(md5(i::text), 40), 'hex') from waiting`,
  `insert into recipients (bucket, account_id, message_id, ordinal, server_id, kind, status, address, address_key)
   select bucket, $1::uuid, id, 0, $2::uuid, 'TO', 'SCHEDULED', address, address from waiting`,
  `insert into delivery_queue (account_id, message_id, ordinal, bucket, server_id, stream_id, lane, sandboxed, address,
     domain, due_at, deliver_by)
   select $1::uuid, id, 0, bucket, $2::uuid, $3::uuid, 1, false, address, 'mail.example', due_at, due_at + interval '48 hours'
   from waiting`,
];
