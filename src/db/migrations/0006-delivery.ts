// Delivery: the policy of a stream for mail in doubt and its lifetime; turns in the queue, by which accounts share a node
// fairly; tallies, which prove at any time that nothing accepted was lost; shaping of traffic to sites.
// Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const tally = (source: string, kind: string, sign: string, condition = '') =>
  `select bucket, ${kind}, ${sign}count(*) from ${source} ${condition} group by 1, 2`;

/** Statement triggers: one row of sums for a statement, whoever sends it. */
const tallyTrigger = (name: string, event: string, tables: string, referencing: string, body: string) => [
  `create function ${name}() returns trigger language plpgsql as $$
     begin insert into delivery_tallies (bucket, kind, count) ${body}; return null; end $$`,
  `create trigger ${name} after ${event} on ${tables} referencing ${referencing}
     for each statement execute function ${name}()`,
];

const statements = [
  `create type in_doubt_policy as enum ('RETRY', 'NEVER_TWICE')`,
  // lifetime_minutes null: what is usual for the kind of stream.
  `alter table message_streams
     add column in_doubt_policy in_doubt_policy not null default 'RETRY',
     add column lifetime_minutes integer`,

  // ready: due and waiting for its turn; the lowest turn goes first. Everything else (scheduled, to be tried again, or
  // under a lease) waits for due_at. doubts: attempts whose outcome nobody knows.
  `alter table delivery_queue
     add column ready boolean not null default false,
     add column turn bigint not null default 0,
     add column doubts smallint not null default 0`,
  `drop index delivery_queue_due`,
  `create index delivery_queue_ready on delivery_queue (turn) where ready`,
  `create index delivery_queue_waiting on delivery_queue (due_at) where not ready`,

  // The highest turn that was ever claimed: behind it new turns are drawn. A sequence, because nobody may wait for another
  // to move it, and a crash that forgets a step costs nothing.
  `create sequence delivery_front minvalue 0 start 0`,

  // How many were accepted, reached each final state, and entered or left the queue: rows of differences, summed up into
  // one from time to time, so that no transaction waits for another's. By bucket, which is known in every row.
  `create table delivery_tallies (
     bucket integer not null,
     kind text not null,
     id bigint generated always as identity,
     count bigint not null,
     primary key (bucket, kind, id))
   with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)`,
  `insert into delivery_tallies (bucket, kind, count) ${tally('recipients', `'ACCEPTED'`, '')}
   union all ${tally('recipients', 'status::text', '', 'where settled_at is not null')}
   union all ${tally('delivery_queue', `'OPEN'`, '')}`,
  ...tallyTrigger(
    'tally_accepted',
    'insert',
    'recipients',
    'new table as added',
    `${tally('added', `'ACCEPTED'`, '')}
     union all ${tally('added', 'status::text', '', 'where settled_at is not null')}`,
  ),
  ...tallyTrigger(
    'tally_settled',
    'update',
    'recipients',
    'old table as before new table as now',
    `${tally('now', 'status::text', '', 'where settled_at is not null')}
     union all ${tally('before', 'status::text', '-', 'where settled_at is not null')}`,
  ),
  ...tallyTrigger('tally_queued', 'insert', 'delivery_queue', 'new table as added', tally('added', `'OPEN'`, '')),
  ...tallyTrigger('tally_unqueued', 'delete', 'delivery_queue', 'old table as gone', tally('gone', `'OPEN'`, '-')),

  // Connections that a worker may have to a site, from one of our addresses. Lent for seconds; who dies loses them by time.
  `create table shaping_permits (
     source text not null,
     site text not null,
     owner uuid not null,
     permits integer not null,
     expires_at timestamptz not null,
     primary key (source, site, owner))`,
  // Every change of the pace, with its cause: made by a rule after a reply, or by the staff. for_account_id null: the site,
  // whoever sends. factor, connections, messages_per_second: src/domain/delivery/measures.ts.
  `create table shaping_measures (
     id uuid primary key,
     source text not null,
     site text not null,
     for_account_id uuid,
     kind text not null check (kind in ('SLOW', 'ONE_CONNECTION', 'SUSPEND', 'LIMITS')),
     factor real not null,
     connections integer,
     messages_per_second real,
     rule text,
     cause text not null,
     made_by uuid,
     started_at timestamptz not null,
     until timestamptz,
     ended_at timestamptz)`,
  `create index shaping_measures_open on shaping_measures (started_at) where ended_at is null`,
];
