// Counters of what happens on servers, and what the webhook of inbound mail needs. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/**
 * bucket: the partition of the log whose events are counted, so that what is counted of it can be compared with it as long
 * as it is there. tag: '' counts all, '(other)' those without a row of their own. starts_at: of the hour or day in UTC.
 */
const counters = (name: string): string =>
  `create table ${name} (
     account_id uuid not null,
     server_id uuid not null,
     tag text not null,
     starts_at timestamptz not null,
     stream_id uuid not null,
     metric text not null,
     bucket integer not null,
     count bigint not null,
     primary key (account_id, server_id, tag, starts_at, stream_id, metric, bucket))
   with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)`;

const statements = [
  // How far a log is counted: all up to (xact, id) is in the counters and nothing after it. Who counts goes on counting until
  // held_until, so that the others need not look.
  `create table counter_cursors (
     source text primary key,
     xact bigint not null,
     id uuid not null,
     holder uuid,
     held_until timestamptz)`,
  `insert into counter_cursors (source, xact, id) values
     ('events', -1, '00000000-0000-0000-0000-000000000000'),
     ('inbound', -1, '00000000-0000-0000-0000-000000000000')`,
  counters('counters_by_day'),
  counters('counters_by_hour'),
  `create index counters_by_hour_start on counters_by_hour (starts_at)`,
  // Tags that have rows of their own on a day.
  `create table counted_tags (
     account_id uuid not null,
     server_id uuid not null,
     starts_at timestamptz not null,
     tag text not null,
     primary key (account_id, server_id, starts_at, tag))`,
  `create index counted_tags_start on counted_tags (starts_at)`,

  // log_xact moves when a message is taken up again; a message comes in once.
  `alter table inbound_messages add column received_xact bigint not null default 0`,
  `update inbound_messages set received_xact = log_xact`,
  `create index inbound_messages_received on inbound_messages (received_xact, id)`,
];
