// What delivery never does, held by the database as well: a recipient in two states, or out of a final one. And mail that is
// held back at a site, so that the staff's word lets it go at once.
// Frozen in time: imports nothing of ours.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // SUPPRESSED and the other final states have a time, the open ones have none.
  `alter table recipients add constraint recipients_open_or_settled check
     ((settled_at is null) = (status in ('SCHEDULED', 'QUEUED', 'DELAYED')))`,

  // The one way out of a final state: what was taken, or may have been, has come back. A refusal here is a mistake of ours.
  `create function refuse_unsettling() returns trigger language plpgsql as $$
     begin
       raise exception 'recipient % of message % would leave its final state % for %', old.ordinal, old.message_id, old.status, new.status
         using errcode = 'check_violation';
     end $$`,
  `create trigger recipients_stay_settled before update of status, settled_at on recipients for each row
     when (old.settled_at is not null and new.status is distinct from old.status
       and not (new.status = 'BOUNCED' and old.status in ('DELIVERED', 'IN_DOUBT')))
     execute function refuse_unsettling()`,

  // A hash of the name of the site that takes no more of it for a while; null: whatever else it waits for.
  `alter table delivery_queue add column held integer`,
  `create index delivery_queue_held on delivery_queue (held) where held is not null`,
];
