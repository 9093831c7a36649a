// Mail that was taken from the world and is yet to be read. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A row is there from acceptance until what the mail means is stored, and goes in that transaction. due_at: when it may be
  // read, or the end of the lease of who reads it. kind inbound: the source stands in message_contents under the same id.
  `create table arrivals (
     account_id uuid not null,
     id uuid not null,
     kind text not null,
     recipient text not null,
     sender text not null,
     peer_address text not null,
     helo text not null,
     received_at timestamptz not null,
     size integer not null,
     server_id uuid,
     stream_id uuid,
     mailbox_hash text,
     retention_days integer,
     due_at timestamptz not null,
     tries smallint not null default 0,
     primary key (account_id, id),
     check ((kind = 'inbound') = (server_id is not null and stream_id is not null and mailbox_hash is not null
       and retention_days is not null)))
   with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)`,
  `create index arrivals_due on arrivals (due_at)`,
  // Sources of the other kinds, in pieces; they go with their row. Encoded, so PostgreSQL need not try to compress them.
  `create table arrival_contents (
     account_id uuid not null,
     arrival_id uuid not null,
     piece smallint not null,
     body bytea not null,
     primary key (account_id, arrival_id, piece))`,
  `alter table arrival_contents alter column body set storage external`,
  // Complaints name a message by its Message-ID; one that we have made tells the message by itself, and is not in here.
  `create index messages_own_message_id on messages (account_id, message_id_header)
     where message_id_header not like '<msg~_%' escape '~'`,
];
