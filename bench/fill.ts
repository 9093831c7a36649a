// Fills an installation with messages by SQL, a set at a time: the rows that accepting them would have left, in the right
// partitions and with the ids, terms and times that the product gives them.
import { connectDatabase } from '#/db/client.ts';
import { ensurePartitions } from '#/db/partitions.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { metadataTerms, subjectTerms } from '#/domain/search-terms.ts';
import { connect, type Connection } from './database.ts';
import { DOMAIN } from './letters.ts';
import type { Serving } from './serving.ts';

/** Rows of one statement. */
const SET = 50_000;
const DAY_MS = 24 * 3_600_000;

/** Rare things are in the first 100,000 messages alone: a search for them finds the same, however many there are. */
const FIRST = 100_000;

/** What the messages have, as far as a search can ask for it. */
export const vocabulary = {
  senders: 20,
  /** Each has five messages; so many have theirs among the first 100,000. */
  recipients: FIRST / 5,
  /** Second words of subjects, each as often as the others; the first is the same everywhere. */
  words: Array.from({ length: 1_000 }, (_, index) => `topic${index}`),
  /** In ten subjects. */
  rareWord: 'zebra',
  /** Every third message. */
  commonTag: 'receipt',
  /** A hundred messages. */
  rareTag: 'recall',
  /** Each has fifty messages; so many have theirs among the first 100,000. */
  customers: FIRST / 50,
} as const;

export interface Filling {
  /** Numbers of the messages, which decide what is in them. */
  readonly from: number;
  readonly to: number;
}

/** Long done, spread over 40 days. */
export async function fill(serving: Serving, filling: Filling, say: (line: string) => void): Promise<void> {
  const { from, to } = filling;
  const now = Date.now();
  const spreadMs = 40 * DAY_MS;
  await makePartitions(serving, now - spreadMs, now);
  await using client = await connect(serving.connectionString);
  const streams = await sendingStreams(client, serving);
  for (let first = from; first < to; first += SET) {
    const last = Math.min(first + SET, to);
    await client.query(STATEMENT, [
      first,
      last,
      serving.accountUuid,
      serving.serverUuid,
      streams.transactional,
      streams.broadcast,
      now - spreadMs,
      // Numbers are spread over the whole time by a permutation, so that a later filling is not newer than an earlier one.
      spreadMs,
      subjectTerms('Message')[0],
      vocabulary.words.map((word) => subjectTerms(word)[0]),
      subjectTerms(vocabulary.rareWord)[0],
      Array.from({ length: Math.ceil(to / 50) }, (_, index) => metadataTerms({ customer: `c-${index}` })[0]),
      ['free', 'paid'].map((plan) => metadataTerms({ plan })[0]),
      DOMAIN,
      vocabulary.commonTag,
      vocabulary.rareTag,
      vocabulary.rareWord,
    ]);
    if (last % 250_000 === 0) say(`${last} messages are in`);
  }
  // What autovacuum does within minutes of it.
  await client.query('vacuum (analyze)');
  await client.query('checkpoint');
}

async function makePartitions(serving: Serving, fromMs: number, toMs: number): Promise<void> {
  await using database = connectDatabase({ connectionString: serving.connectionString, maxConnections: 1 });
  for (let ms = fromMs; ms <= toMs; ms += 7 * DAY_MS) {
    await ensurePartitions(database.db, new Date(ms), [RETENTION_DAYS.default]);
  }
}

async function sendingStreams(client: Connection, { accountUuid, serverUuid }: Serving) {
  const { rows } = await client.query('select kind, id from message_streams where account_id = $1 and server_id = $2', [
    accountUuid,
    serverUuid,
  ]);
  const idOf = (kind: string) => rows.find((row) => row['kind'] === kind)?.['id'];
  return { transactional: idOf('TRANSACTIONAL'), broadcast: idOf('BROADCAST') };
}

/** 1 in 1,000 is the grain of statuses: most are delivered, of each other kind there are some. */
const SETTLED_STATUS = `(case
  when i % 1000 < 30 then 'BOUNCED' when i % 1000 < 40 then 'SUPPRESSED' when i % 1000 < 45 then 'EXPIRED'
  when i % 1000 < 48 then 'CANCELLED' when i % 1000 < 49 then 'IN_DOUBT' when i >= ${FIRST} then 'DELIVERED'
  when i % 10000 = 999 then 'DELAYED' when i % 10000 = 1999 then 'QUEUED' when i % 10000 = 2999 then 'SCHEDULED'
  else 'DELIVERED' end)`;

const STATEMENT = `
    with parameter as (
      select $1::int as first, $2::int as last, $3::uuid as account_id, $4::uuid as server_id, $5::uuid as transactional,
        $6::uuid as broadcast_id, $7::float8 as start_ms, $8::float8 as spread_ms, $9::bigint as common_term,
        $10::bigint[] as word_terms, $11::bigint as rare_term, $12::bigint[] as customer_terms, $13::bigint[] as plan_terms,
        $14::text as domain, $15::text as common_tag, $16::text as rare_tag, $17::text as rare_word),
    timed as (
      select p.*, i, i % 5 = 0 as broadcast,
        p.start_ms + p.spread_ms * ((i::bigint * 618033989) % 1000000007)::float8 / 1000000007 as accepted_ms
      from parameter p cross join lateral generate_series(p.first, p.last - 1) as i),
    dated as (
      select *, to_timestamp(accepted_ms / 1000) as accepted_at,
        to_timestamp(accepted_ms / 1000) + interval '${RETENTION_DAYS.default} days' as expires_at from timed),
    bucketed as (
      select *, floor(extract(epoch from expires_at) / 604800)::int as bucket from dated),
    row as materialized (
      select *,
        (lpad(to_hex(accepted_ms::bigint), 12, '0') || '7' || lpad(to_hex(bucket & 4095), 3, '0') ||
          '8' || substr(md5(i::text || server_id::text), 1, 15))::uuid as id,
        case when broadcast then broadcast_id else transactional end as stream_id,
        'user-' || i / 5 || '@mail.example' as address,
        case when i < ${FIRST} and i % 1000 = 5 then rare_tag when i % 3 = 0 then common_tag end as tag,
        jsonb_build_object('customer', 'c-' || i / 50,
          'plan', case when i % 2 = 0 then 'free' else 'paid' end) as metadata,
        (${SETTLED_STATUS})::delivery_status as status
      from bucketed),
    message as (
      insert into messages (bucket, account_id, id, server_id, stream_id, from_address, from_key, subject, tag, metadata,
        accepted_at, send_at, deliver_by, expires_at, message_id_header, attachments, size, sandboxed)
      select bucket, account_id, id, server_id, stream_id, 'sender-' || i % ${vocabulary.senders} || '@' || domain,
        'sender-' || i % ${vocabulary.senders} || '@' || domain,
        'Message topic' || i % ${vocabulary.words.length} || case when i < ${FIRST} and i % 10000 = 77 then ' ' || rare_word else '' end,
        tag, metadata, accepted_at, null, accepted_at + interval '48 hours', expires_at,
        '<' || id || '@' || domain || '>', null, 5120, false from row),
    term as (
      insert into message_terms (bucket, server_id, account_id, term, message_id)
      select bucket, server_id, account_id, term, id from row cross join lateral unnest(array[common_term,
        word_terms[i % ${vocabulary.words.length} + 1], case when i < ${FIRST} and i % 10000 = 77 then rare_term end,
        customer_terms[i / 50 + 1], plan_terms[i % 2 + 1]]) as term
      where term is not null),
    event as (
      insert into events (bucket, account_id, server_id, log_xact, id, type, occurred_at, message_id, stream_id, recipient,
        tag, metadata, data)
      select bucket, account_id, server_id, pg_current_xact_id()::text::bigint + (select log_offset from installation),
        uuidv7(), 'ACCEPTED', accepted_at, id, stream_id, address, tag, metadata, null from row)
    insert into recipients (bucket, account_id, message_id, ordinal, server_id, kind, status, address, address_key, settled_at)
    select bucket, account_id, id, 0, server_id, 'TO', status, address, address,
      case when status in ('QUEUED', 'DELAYED', 'SCHEDULED') then null else accepted_at + interval '1 second' end from row`;
