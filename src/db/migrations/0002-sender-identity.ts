// Sender identity: DKIM keys in three states, what DNS said of each record, confirmed single addresses, and which domains
// a server may send from. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type dkim_algorithm as enum ('RSA', 'ED25519')`,
  // PENDING: published on request, not yet seen in DNS, never used. CURRENT: signs. RETIRED: signs no more, stays
  // published until no mail signed with it can be in flight (removable_at).
  `create type dkim_key_state as enum ('PENDING', 'CURRENT', 'RETIRED')`,
  `create table dkim_keys (
     account_id uuid not null,
     id uuid not null,
     domain_id uuid not null,
     algorithm dkim_algorithm not null,
     selector text not null,
     state dkim_key_state not null,
     public_key text not null,
     private_key_encrypted bytea not null,
     created_at timestamptz not null,
     seen_at timestamptz,
     activated_at timestamptz,
     retired_at timestamptz,
     removable_at timestamptz,
     primary key (account_id, id),
     unique (account_id, domain_id, selector),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  `create table domain_records (
     account_id uuid not null,
     domain_id uuid not null,
     purpose text not null,
     host text not null,
     state text not null check (state in ('MISSING', 'WRONG', 'OK', 'UNKNOWN')),
     found text[] not null default '{}',
     problem text,
     checked_at timestamptz,
     ok_since timestamptz,
     lost_since timestamptz,
     warned_at timestamptz,
     primary key (account_id, domain_id, purpose, host),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  `alter table domains add column next_check_at timestamptz`,
  `create index domains_check on domains (next_check_at) where next_check_at is not null`,
  `create table sender_signatures (
     account_id uuid not null references accounts (id),
     id uuid not null,
     address text not null,
     address_key text not null,
     name text not null,
     reply_to text,
     note text,
     created_at timestamptz not null,
     confirmed_at timestamptz,
     confirmation_hash bytea unique,
     confirmation_expires_at timestamptz,
     confirmation_sent_at timestamptz,
     primary key (account_id, id),
     unique (account_id, address_key))`,
  // No rows for a server: it may send from all of the account's domains.
  `create table server_domains (
     account_id uuid not null,
     server_id uuid not null,
     domain_id uuid not null,
     primary key (account_id, server_id, domain_id),
     foreign key (account_id, server_id) references servers (account_id, id),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
];
