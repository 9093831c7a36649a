// Accounts, servers, tokens, sender domains, suppressions, messages, queue and event log.
// Frozen in time: imports nothing of ours, so that it does for ever what it did on the day it was written.
//
// Account is the tenant: every tenant table begins its key with account_id, so that rows can be placed by account on a
// sharded PostgreSQL (docs/decisions/0004). Tables that grow with mail are partitioned by retention bucket: the week in
// which a message expires. Retention drops whole partitions and never deletes rows. They carry no foreign keys: a key
// check per row costs more than the insert, and locks the parent row.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type account_role as enum ('OWNER', 'ADMIN', 'MEMBER')`,
  `create type two_factor_policy as enum ('OPTIONAL', 'REQUIRED')`,
  `create type delivery_type as enum ('LIVE', 'SANDBOX')`,
  `create type stream_kind as enum ('TRANSACTIONAL', 'BROADCAST', 'INBOUND')`,
  `create type token_kind as enum ('SERVER', 'ACCOUNT')`,
  `create type recipient_kind as enum ('TO', 'CC', 'BCC')`,
  `create type delivery_status as enum
     ('SCHEDULED', 'QUEUED', 'DELAYED', 'DELIVERED', 'BOUNCED', 'SUPPRESSED', 'EXPIRED', 'CANCELLED', 'IN_DOUBT')`,
  `create type attempt_outcome as enum ('DELIVERED', 'DEFERRED', 'BOUNCED', 'IN_DOUBT', 'LOST')`,
  `create type suppression_reason as enum ('HARD_BOUNCE', 'SPAM_COMPLAINT', 'MANUAL', 'UNSUBSCRIBE')`,
  `create type suppression_origin as enum ('RECIPIENT', 'CUSTOMER', 'OPERATOR')`,
  `create type message_event_type as enum
     ('ACCEPTED', 'SUPPRESSED', 'DELAYED', 'DELIVERED', 'BOUNCED', 'IN_DOUBT', 'SPAM_COMPLAINT', 'OPENED', 'CLICKED',
      'SUBSCRIPTION_CHANGED', 'EXPIRED', 'CANCELLED')`,

  // One row. log_offset is added to transaction ids, so that positions in the event log go on rising after a restore
  // into a new cluster, whose transaction ids start low again.
  `create table installation (
     singleton boolean primary key default true check (singleton),
     log_offset bigint not null default 0,
     created_at timestamptz not null default now())`,
  `insert into installation default values`,

  `create table accounts (
     id uuid primary key,
     name text not null,
     two_factor_policy two_factor_policy not null default 'OPTIONAL',
     retention_days smallint not null default 45 check (retention_days between 7 and 365),
     created_at timestamptz not null)`,

  // An identity may be a member of many accounts; it belongs to none of them.
  `create table users (
     id uuid primary key,
     email text not null,
     email_key text not null unique,
     name text not null,
     password_hash text,
     created_at timestamptz not null)`,
  `create table memberships (
     account_id uuid not null references accounts (id),
     user_id uuid not null references users (id),
     role account_role not null,
     created_at timestamptz not null,
     primary key (account_id, user_id))`,
  `create index memberships_user on memberships (user_id)`,
  `create unique index memberships_one_owner on memberships (account_id) where role = 'OWNER'`,

  `create table servers (
     account_id uuid not null references accounts (id),
     id uuid not null,
     name text not null,
     color text not null,
     delivery_type delivery_type not null,
     track_opens boolean not null default false,
     track_links text not null default 'NONE',
     created_at timestamptz not null,
     deleted_at timestamptz,
     primary key (account_id, id))`,
  `create unique index servers_name on servers (account_id, lower(name)) where deleted_at is null`,

  `create table message_streams (
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     slug text not null,
     name text not null,
     description text,
     kind stream_kind not null,
     created_at timestamptz not null,
     archived_at timestamptz,
     purge_at timestamptz,
     primary key (account_id, id),
     unique (account_id, server_id, slug),
     foreign key (account_id, server_id) references servers (account_id, id))`,

  // Looked up by secret alone, before the account is known: small, and on a sharded database a copy stands on each node.
  // secret_hash is SHA-256 of the whole token; its 190 random bits need no slow hash.
  `create table api_tokens (
     account_id uuid not null references accounts (id),
     id uuid not null,
     kind token_kind not null,
     server_id uuid,
     stream_id uuid,
     name text not null,
     secret_hash bytea not null unique,
     hint text not null,
     scopes text[] not null default '{}',
     allowed_ips text[] not null default '{}',
     created_at timestamptz not null,
     last_used_at timestamptz,
     expires_at timestamptz,
     revoked_at timestamptz,
     replaced_by uuid,
     primary key (account_id, id),
     foreign key (account_id, server_id) references servers (account_id, id),
     foreign key (account_id, stream_id) references message_streams (account_id, id),
     check ((kind = 'SERVER') = (server_id is not null)))`,
  `create index api_tokens_server on api_tokens (account_id, server_id)`,

  `create table domains (
     account_id uuid not null references accounts (id),
     id uuid not null,
     name text not null,
     return_path text,
     created_at timestamptz not null,
     verified_at timestamptz,
     verified_by text check (verified_by in ('DNS', 'OPERATOR')),
     primary key (account_id, id),
     unique (account_id, name))`,
  // At most one account holds a domain as verified; the claim is made and given up with domains.verified_at.
  `create table verified_domains (
     name text primary key,
     account_id uuid not null,
     domain_id uuid not null,
     foreign key (account_id, domain_id) references domains (account_id, id))`,

  // address_hash: SHA-256 of the address key; it stays when the address itself is removed on its owner's demand.
  `create table suppressions (
     account_id uuid not null,
     stream_id uuid not null,
     address_hash bytea not null,
     id uuid not null,
     address text,
     reason suppression_reason not null,
     origin suppression_origin not null,
     note text,
     created_at timestamptz not null,
     primary key (account_id, stream_id, address_hash),
     unique (account_id, id),
     foreign key (account_id, stream_id) references message_streams (account_id, id))`,
  `create index suppressions_newest on suppressions (stream_id, id)`,

  // What the sender asked for, as it is searched. Content stands apart in message_contents.
  `create table messages (
     bucket integer not null,
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     stream_id uuid not null,
     from_address text not null,
     from_key text not null,
     subject text not null,
     tag text,
     metadata jsonb,
     accepted_at timestamptz not null,
     send_at timestamptz,
     deliver_by timestamptz not null,
     expires_at timestamptz not null,
     message_id_header text not null,
     attachments jsonb,
     size integer not null,
     sandboxed boolean not null,
     primary key (account_id, id, bucket)) partition by list (bucket)`,
  `create index messages_newest on messages (server_id, id)`,
  `create index messages_stream on messages (stream_id, id)`,
  `create index messages_from on messages (server_id, from_key, id)`,
  `create index messages_tag on messages (server_id, tag, id) where tag is not null`,

  // Inverted index of what a message has many of (subject words, metadata pairs): term is a hash of 53 bits. Ordered by
  // message within a term, so that a filter reads its newest matches and stops, however many there are.
  `create table message_terms (
     bucket integer not null,
     server_id uuid not null,
     account_id uuid not null,
     term bigint not null,
     message_id uuid not null,
     primary key (account_id, server_id, term, message_id, bucket)) partition by list (bucket)`,

  // zstd by the application (the embedded server has only pglz), hence external storage: no second compression.
  // In pieces of at most 1 MB, so that large ones can be streamed.
  `create table message_contents (
     bucket integer not null,
     account_id uuid not null,
     message_id uuid not null,
     piece smallint not null,
     body bytea not null,
     primary key (account_id, message_id, piece, bucket)) partition by list (bucket)`,
  `alter table message_contents alter column body set storage external`,

  `create table recipients (
     bucket integer not null,
     account_id uuid not null,
     message_id uuid not null,
     ordinal smallint not null,
     server_id uuid not null,
     kind recipient_kind not null,
     status delivery_status not null,
     address text not null,
     address_key text not null,
     settled_at timestamptz,
     primary key (account_id, message_id, ordinal, bucket)) partition by list (bucket)`,
  `create index recipients_address on recipients (server_id, address_key, message_id)`,
  `create index recipients_status on recipients (server_id, status, message_id)`,

  // Written before the dial; content_sent_at before the final dot is; the rest with the outcome.
  `create table delivery_attempts (
     bucket integer not null,
     account_id uuid not null,
     message_id uuid not null,
     ordinal smallint not null,
     id uuid not null,
     server_id uuid not null,
     started_at timestamptz not null,
     content_sent_at timestamptz,
     ended_at timestamptz,
     outcome attempt_outcome,
     transport text,
     remote_host text,
     remote_address text,
     tls text,
     smtp_code smallint,
     enhanced_code text,
     response text,
     transcript text[],
     primary key (account_id, message_id, ordinal, id, bucket)) partition by list (bucket)`,

  `create table bounces (
     bucket integer not null,
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     stream_id uuid not null,
     message_id uuid,
     ordinal smallint,
     type text not null,
     address text not null,
     address_key text not null,
     tag text,
     occurred_at timestamptz not null,
     smtp_code smallint,
     enhanced_code text,
     details text not null,
     suppression_id uuid,
     primary key (account_id, id, bucket)) partition by list (bucket)`,
  `create index bounces_newest on bounces (server_id, id)`,
  `create index bounces_type on bounces (server_id, type, id)`,
  `create index bounces_address on bounces (server_id, address_key, id)`,

  // The log. Order is (log_xact, id): the transaction that wrote the event, then the id drawn inside it. Readers stop
  // below the oldest transaction still running (src/events/log.ts says why a sequence would lose rows).
  `create table events (
     bucket integer not null,
     account_id uuid not null,
     server_id uuid not null,
     log_xact bigint not null,
     id uuid not null,
     type message_event_type not null,
     occurred_at timestamptz not null,
     message_id uuid not null,
     stream_id uuid not null,
     recipient text,
     tag text,
     metadata jsonb,
     data jsonb,
     primary key (account_id, server_id, log_xact, id, bucket)) partition by list (bucket)`,
  `create index events_log on events (log_xact, id)`,
  `create index events_message on events (message_id)`,

  // How far retention has dropped events of a server: a cursor before it has expired.
  `create table event_log_floors (
     account_id uuid not null,
     server_id uuid not null,
     dropped_through bigint not null,
     primary key (account_id, server_id))`,

  // One row for each recipient that is still open; gone with its final state. due_at is both "not before" and, while
  // leased, the end of the lease: a dead worker's rows become due by themselves.
  `create table delivery_queue (
     account_id uuid not null,
     message_id uuid not null,
     ordinal smallint not null,
     bucket integer not null,
     server_id uuid not null,
     stream_id uuid not null,
     lane smallint not null,
     sandboxed boolean not null,
     address text not null,
     domain text not null,
     due_at timestamptz not null,
     deliver_by timestamptz not null,
     attempts smallint not null default 0,
     first_failed_at timestamptz,
     lease_owner uuid,
     attempt_id uuid,
     content_sent boolean not null default false,
     primary key (account_id, message_id, ordinal))
   with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
         autovacuum_vacuum_cost_delay = 0)`,
  `create index delivery_queue_due on delivery_queue (lane, due_at)`,

  `create table idempotency_keys (
     account_id uuid not null,
     server_id uuid not null,
     key text not null,
     request_hash bytea not null,
     message_id uuid not null,
     expires_at timestamptz not null,
     primary key (account_id, server_id, key))`,
  `create index idempotency_keys_expiry on idempotency_keys (expires_at)`,

  `create table audit_log (
     account_id uuid not null,
     id uuid not null,
     occurred_at timestamptz not null,
     action text not null,
     actor_kind text not null,
     actor_id uuid,
     actor_label text not null,
     ip_address text,
     request_id text,
     subject_ids text[] not null default '{}',
     changes jsonb,
     primary key (account_id, id))`,
  `create index audit_log_action on audit_log (account_id, action, id)`,
];
