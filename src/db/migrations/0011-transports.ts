// Transports: the ways out that the operator made beside what the settings say, which server or stream takes which, and
// what is known of their health. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Limits are those of each relay; of MX they are the receiving site's, and null.
  `create table transports (
     id uuid primary key,
     name text not null unique,
     kind text not null check (kind in ('MX', 'RELAY')),
     recipients_per_transaction integer not null default 1,
     connections integer,
     messages_per_connection integer,
     messages_per_second real,
     created_at timestamptz not null,
     changed_at timestamptz not null)`,
  // credentials_encrypted: user and password, sealed; null: none are asked for. priority: the lowest that works is used.
  `create table transport_relays (
     transport_id uuid not null references transports (id) on delete cascade,
     id uuid not null,
     host text not null,
     port integer not null,
     tls text not null check (tls in ('OPPORTUNISTIC', 'REQUIRED', 'IMPLICIT')),
     credentials_encrypted bytea,
     priority integer not null,
     weight integer not null,
     primary key (transport_id, id),
     unique (transport_id, host, port))`,
  // At least one address; both are one source where they are one machine's. weight: its share of the pool's mail.
  `create table transport_sources (
     transport_id uuid not null references transports (id) on delete cascade,
     id uuid not null,
     ipv4 text,
     ipv6 text,
     helo_name text not null,
     weight integer not null,
     primary key (transport_id, id),
     check (ipv4 is not null or ipv6 is not null))`,
  // stream_id null: all streams of the server that have no choice of their own.
  `create table transport_choices (
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     stream_id uuid,
     transport_id uuid not null references transports (id),
     chosen_at timestamptz not null,
     primary key (account_id, id),
     foreign key (account_id, server_id) references servers (account_id, id),
     foreign key (account_id, stream_id) references message_streams (account_id, id),
     unique nulls not distinct (account_id, server_id, stream_id))`,
  `create index transport_choices_transport on transport_choices (transport_id)`,
  // Of a relay or a source, by its name among all (src/domain/delivery/transports.ts). out_since null: in use. level: how
  // often in a row a look at it failed, from which the pause until the next follows.
  `create table transport_health (
     subject text primary key,
     out_since timestamptz,
     look_at timestamptz,
     level integer not null,
     cause text not null,
     changed_at timestamptz not null)`,
  // On which nodes an address is there to send from: told again and again by the nodes that have it.
  `create table transport_presence (
     address text not null,
     node uuid not null,
     until timestamptz not null,
     primary key (address, node))`,
];
