// Counters of what happens on servers, and calls of the webhook of inbound mail. Frozen in time: imports nothing of ours.
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

  // What waits for the webhook of its server is QUEUED, with the time of its next call.
  `alter table inbound_messages
     add column attempts smallint not null default 0,
     add column next_attempt_at timestamptz,
     add column last_attempt_at timestamptz,
     add column last_status smallint,
     add column last_latency_ms integer`,
  `update inbound_messages set next_attempt_at = received_at where status = 'QUEUED'`,
  `alter table inbound_messages add check ((status = 'QUEUED') = (next_attempt_at is not null))`,
  `create index inbound_messages_due on inbound_messages (server_id, next_attempt_at) where status = 'QUEUED'`,
  // due_at: when something may be to be done for the endpoint; null: nothing waits. Whoever queues a message sets it in the
  // same transaction. One process at a time calls an endpoint; one that dies loses it by time. failures: calls in a row.
  `alter table inbound_settings
     add column due_at timestamptz,
     add column lease_owner uuid,
     add column lease_until timestamptz,
     add column failures integer not null default 0,
     add column secret_encrypted bytea,
     add column previous_secret_encrypted bytea,
     add column previous_secret_until timestamptz`,
  `update inbound_settings set due_at = '-infinity'`,
  `create index inbound_settings_due on inbound_settings (due_at) where due_at is not null`,
  `create index inbound_settings_server on inbound_settings (server_id)`,
  `create index inbound_settings_owner on inbound_settings (lease_owner) where lease_owner is not null`,
];
