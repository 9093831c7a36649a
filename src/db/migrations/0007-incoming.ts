// What comes back and what comes in: raw notifications, indexes for lists of bounces and suppressions, inbound mail with
// its settings, reports about a domain. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create index bounces_stream on bounces (stream_id, id)`,
  `create index bounces_message on bounces (message_id, id) where message_id is not null`,
  `create index bounces_tag on bounces (server_id, tag, id) where tag is not null`,
  `create index bounces_suppressing on bounces (server_id, id) where suppression_id is not null`,
  `create index suppressions_reason on suppressions (stream_id, reason, id)`,
  `create index suppressions_origin on suppressions (stream_id, origin, id)`,

  // One row for each kind of news about a recipient of a message: its key is what makes the same news, however often it is
  // sent, one bounce. Holds the raw notification (zstd) until removable_at, when the row goes.
  `create table returned_mails (
     account_id uuid not null,
     message_id uuid not null,
     ordinal smallint not null,
     type text not null,
     bounce_id uuid not null,
     received_at timestamptz not null,
     removable_at timestamptz not null,
     source bytea not null,
     primary key (account_id, message_id, ordinal, type),
     unique (account_id, bounce_id))`,
  `alter table returned_mails alter column source set storage external`,
  `create index returned_mails_removable on returned_mails (removable_at)`,

  // Inbound addresses and those of bounces name rows by their id alone.
  `create index servers_id on servers (id)`,
  `create type inbound_status as enum ('QUEUED', 'PROCESSED', 'FAILED', 'BLOCKED')`,
  // A server without a row has no settings of its own.
  `create table inbound_settings (
     account_id uuid not null,
     server_id uuid not null,
     url text,
     spam_threshold double precision,
     primary key (account_id, server_id),
     foreign key (account_id, server_id) references servers (account_id, id))`,
  // name: a domain, or *.domain for all below it. At most one server of all has it.
  `create table inbound_domains (
     name text primary key,
     account_id uuid not null,
     server_id uuid not null,
     created_at timestamptz not null,
     unique (account_id, server_id),
     foreign key (account_id, server_id) references servers (account_id, id))`,
  // pattern: an address, or a domain.
  `create table inbound_rules (
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     pattern text not null,
     created_at timestamptz not null,
     primary key (account_id, id),
     unique (account_id, server_id, pattern),
     foreign key (account_id, server_id) references servers (account_id, id))`,

  // The source stands in message_contents under the same id. log_xact: as in events, the place in the live stream.
  `create table inbound_messages (
     bucket integer not null,
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     stream_id uuid not null,
     log_xact bigint not null,
     received_at timestamptz not null,
     expires_at timestamptz not null,
     status inbound_status not null,
     blocked_by text,
     failure text,
     from_address text not null,
     from_key text not null,
     people jsonb not null,
     original_recipient text not null,
     recipient_key text not null,
     mailbox_hash text not null,
     subject text not null,
     message_id_header text,
     date_header text,
     attachments jsonb,
     size integer not null,
     spam_score double precision,
     authentication jsonb,
     primary key (account_id, id, bucket)) partition by list (bucket)`,
  `create index inbound_messages_newest on inbound_messages (server_id, id)`,
  `create index inbound_messages_status on inbound_messages (server_id, status, id)`,
  `create index inbound_messages_from on inbound_messages (server_id, from_key, id)`,
  `create index inbound_messages_recipient on inbound_messages (server_id, recipient_key, id)`,
  `create index inbound_messages_hash on inbound_messages (server_id, mailbox_hash, id) where mailbox_hash <> ''`,
  `create index inbound_messages_log on inbound_messages (server_id, log_xact, id)`,
  // For the buckets that are there already; new ones are made with the rest.
  `do $$
   declare bucket text;
   begin
     for bucket in
       select substr(child.relname, 8) from pg_inherits
       join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent
       where parent.relname = 'events' and parent.relnamespace = current_schema()::regnamespace
     loop
       execute format('create table inbound_messages_%s partition of inbound_messages for values in (%s)', bucket, bucket);
     end loop;
   end $$`,

  // Aggregate reports of receivers about a domain (RFC 7489, RFC 8460); the same report comes more than once.
  `create table dmarc_reports (
     account_id uuid not null,
     id uuid not null,
     domain_id uuid not null,
     received_at timestamptz not null,
     begin_at timestamptz not null,
     end_at timestamptz not null,
     organization text not null,
     report_id text not null,
     policy text,
     messages bigint not null,
     aligned bigint not null,
     primary key (account_id, id),
     unique (account_id, domain_id, organization, report_id),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  `create index dmarc_reports_end on dmarc_reports (account_id, domain_id, end_at)`,
  `create index dmarc_reports_received on dmarc_reports (received_at)`,
  `create table dmarc_report_sources (
     account_id uuid not null,
     report_id uuid not null,
     ordinal integer not null,
     source_ip text not null,
     messages bigint not null,
     dkim_aligned bigint not null,
     spf_aligned bigint not null,
     dkim_domains text[] not null,
     -- Signed with a key that we have made.
     ours boolean not null,
     primary key (account_id, report_id, ordinal),
     foreign key (account_id, report_id) references dmarc_reports (account_id, id) on delete cascade)`,
  `create table tls_reports (
     account_id uuid not null,
     id uuid not null,
     domain_id uuid not null,
     received_at timestamptz not null,
     begin_at timestamptz not null,
     end_at timestamptz not null,
     organization text not null,
     report_id text not null,
     successful bigint not null,
     failed bigint not null,
     policies jsonb not null,
     primary key (account_id, id),
     unique (account_id, domain_id, organization, report_id),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  `create index tls_reports_received on tls_reports (received_at)`,
];
