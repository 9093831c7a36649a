// Sender identity: DKIM keys in three states, what DNS said of each record, confirmed single addresses, and which domains
// a server may send from. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type dkim_algorithm as enum ('RSA', 'ED25519')`,
  // PENDING: published on request, not yet seen in DNS, never used. CURRENT: signs. RETIRED: signs no more, stays
  // published until no mail signed with it can be in flight (removable_at); its private half is gone.
  `create type dkim_key_state as enum ('PENDING', 'CURRENT', 'RETIRED')`,
  `create table dkim_keys (
     account_id uuid not null,
     id uuid not null,
     domain_id uuid not null,
     algorithm dkim_algorithm not null,
     selector text not null,
     state dkim_key_state not null,
     public_record text not null,
     private_key_encrypted bytea,
     created_at timestamptz not null,
     seen_at timestamptz,
     activated_at timestamptz,
     retired_at timestamptz,
     removable_at timestamptz,
     check (state = 'RETIRED' or private_key_encrypted is not null),
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
     checked_at timestamptz not null,
     primary key (account_id, domain_id, purpose, host),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  // lost_since: none of its current keys is published any more; warned_at: when its owner was last told of that.
  `alter table domains
     add column next_check_at timestamptz,
     add column lost_since timestamptz,
     add column warned_at timestamptz`,
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
  // A limited server may send from these domains alone, also when none of them is left.
  `alter table servers add column domains_limited boolean not null default false`,
  `create table server_domains (
     account_id uuid not null,
     server_id uuid not null,
     domain_id uuid not null,
     primary key (account_id, server_id, domain_id),
     foreign key (account_id, server_id) references servers (account_id, id),
     foreign key (account_id, domain_id) references domains (account_id, id) on delete cascade)`,
  // The account in whose name the installation itself sends, made when it first does; and what makes the addresses to
  // which bounces come unguessable.
  `alter table installation
     add column system_account_id uuid references accounts (id),
     add column system_server_id uuid,
     add column return_path_secret_encrypted bytea`,
];
