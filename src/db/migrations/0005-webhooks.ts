// Webhooks: endpoints with their place in the log, deliveries, replays, and the processes that call. Frozen in time: imports
// nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // cursor: every event up to here has its row in webhook_deliveries; what comes after is still in the log alone.
  // catch_up_xact: below this the endpoint gets one event after the other, in the order of the log. not_before: asked for by
  // the endpoint (Retry-After). notice: what its owner is still to be told. revision: rises when whoever holds the lease has
  // to look again. One process at a time holds an endpoint; one that dies loses it by time.
  `create table webhooks (
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     url_shown text not null,
     target_encrypted bytea not null,
     header_names text[] not null default '{}',
     has_basic_auth boolean not null default false,
     secret_encrypted bytea not null,
     previous_secret_encrypted bytea,
     previous_secret_until timestamptz,
     signing_key_encrypted bytea,
     public_key text,
     events text[] not null,
     stream_ids uuid[] not null default '{}',
     created_at timestamptz not null,
     enabled boolean not null default true,
     verified_at timestamptz,
     failures integer not null default 0,
     refusals integer not null default 0,
     failing_since timestamptz,
     last_success_at timestamptz,
     paused_at timestamptz,
     pause_reason text check (pause_reason in ('FAILING', 'GONE')),
     notice text check (notice in ('PAUSED', 'GONE', 'REFUSING')),
     not_before timestamptz,
     cursor_xact bigint not null,
     cursor_id uuid not null,
     catch_up_xact bigint not null default 0,
     revision integer not null default 0,
     lease_owner uuid,
     lease_until timestamptz,
     check ((paused_at is null) = (pause_reason is null)),
     primary key (account_id, id),
     foreign key (account_id, server_id) references servers (account_id, id))
   with (fillfactor = 60)`,
  `create index webhooks_server on webhooks (account_id, server_id, id)`,
  `create index webhooks_due on webhooks (coalesce(lease_until, '-infinity'::timestamptz))
     where enabled and verified_at is not null and paused_at is null`,
  `create index webhooks_owner on webhooks (lease_owner) where lease_owner is not null`,
  `create index webhooks_notice on webhooks (id) where notice is not null`,

  // One for each event that an endpoint is to get; a replay makes another. In the bucket of its event, so that none outlives
  // what it is to tell.
  `create type webhook_delivery_state as enum ('PENDING', 'SUCCEEDED', 'FAILED')`,
  `create table webhook_deliveries (
     bucket integer not null,
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     webhook_id uuid not null,
     log_xact bigint not null,
     event_id uuid not null,
     event_type message_event_type not null,
     state webhook_delivery_state not null,
     replayed boolean not null,
     created_at timestamptz not null,
     attempts integer not null default 0,
     first_attempt_at timestamptz,
     last_attempt_at timestamptz,
     next_attempt_at timestamptz,
     last_status smallint,
     last_error text,
     last_latency_ms integer,
     response_head text,
     check ((state = 'PENDING') = (next_attempt_at is not null)),
     primary key (account_id, id, bucket)) partition by list (bucket)`,
  `create index webhook_deliveries_newest on webhook_deliveries (webhook_id, id)`,
  `create index webhook_deliveries_failed on webhook_deliveries (webhook_id, id) where state = 'FAILED'`,
  `create index webhook_deliveries_pending on webhook_deliveries (webhook_id, next_attempt_at) where state = 'PENDING'`,
  // The weeks that are there already; maintenance makes the coming ones with those of all other tables.
  `do $$
   declare bucket text;
   begin
     for bucket in select substr(child.relname, length('events_') + 1)
       from pg_inherits join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent
       where parent.relname = 'events' and parent.relnamespace = current_schema()::regnamespace
     loop
       execute format('create table webhook_deliveries_%s partition of webhook_deliveries for values in (%s)', bucket, bucket);
     end loop;
   end $$`,

  // A range of the log that an endpoint is to get again; gone when the last of it has its row.
  `create table webhook_replays (
     account_id uuid not null,
     id uuid not null,
     webhook_id uuid not null,
     since timestamptz not null,
     until timestamptz not null,
     cursor_xact bigint not null,
     cursor_id uuid not null,
     through_xact bigint not null,
     created_at timestamptz not null,
     primary key (account_id, id),
     foreign key (account_id, webhook_id) references webhooks (account_id, id) on delete cascade)`,
  `create index webhook_replays_webhook on webhook_replays (account_id, webhook_id, id)`,

  // Processes that call, while they live: each takes its share of the endpoints.
  `create table webhook_workers (
     id uuid primary key,
     seen_until timestamptz not null)`,
];
