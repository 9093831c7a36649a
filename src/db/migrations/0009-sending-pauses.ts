// Pauses of sending, and mail that waits for their end. Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type pause_reason as enum
     ('BOUNCE_RATE', 'SPAM_COMPLAINT_RATE', 'SPAMBOT_PATTERN', 'SUDDEN_VOLUME', 'MANUAL', 'OPERATOR')`,
  // Rows stay when they have ended: the history of a server, by whom stands in the audit log. stream_id: only this stream;
  // without a foreign key, for a pause outlives a stream that is purged. evidence: the figures that caused it. The changes
  // of a server (each pause, each resume) are numbered without gaps, under the lock of its row: followers read them in
  // that order. released_at: nothing waits for its end any more.
  `create table sending_pauses (
     account_id uuid not null,
     id uuid not null,
     server_id uuid not null,
     stream_id uuid,
     reason pause_reason not null,
     evidence jsonb not null,
     note text,
     paused_at timestamptz not null,
     paused_change int not null,
     resumed_at timestamptz,
     resumed_change int,
     resume_note text,
     released_at timestamptz,
     primary key (account_id, id),
     foreign key (account_id, server_id) references servers (account_id, id),
     check ((resumed_at is null) = (resumed_change is null)),
     check (released_at is null or resumed_at is not null))`,
  `create unique index sending_pauses_once on sending_pauses (account_id, server_id, stream_id, reason) nulls not distinct
     where resumed_at is null`,
  `create index sending_pauses_in_force on sending_pauses (server_id) where resumed_at is null`,
  `create index sending_pauses_paused on sending_pauses (account_id, server_id, paused_change)`,
  `create index sending_pauses_resumed on sending_pauses (account_id, server_id, resumed_change)`,
  `create index sending_pauses_unreleased on sending_pauses (server_id) where resumed_at is not null and released_at is null`,
  // Waits for the end of a pause, and not ready: due when its time to be delivered is over.
  `alter table delivery_queue add column parked boolean not null default false`,
  `create index delivery_queue_parked on delivery_queue (stream_id, message_id) where parked`,
];
