// Mail that waits in the queue for the end of a pause. It is let go some at a time: there may be millions.
//
// Nothing is forgotten: whoever parks holds the pause in force until they have committed (holdPausedPlaces), so that whoever
// sees its end sees all that was parked under it, and an ended pause is done with only when nothing of it is parked.
import { sql } from 'kysely';
import type { SystemWriteScope } from './scope.ts';

/** Ended pauses that are looked after at once. */
const PAUSES = 100;

/** Ended pauses, with those of their streams that nothing holds any more: never a look at what is still to wait. */
const ended = sql`
  ended as materialized (
    select account_id, id, server_id, stream_id from sending_pauses
    where resumed_at is not null and released_at is null order by server_id limit ${PAUSES}),
  free_streams as materialized (
    select e.account_id, e.id as pause_id, s.id from ended e
    join message_streams s on s.account_id = e.account_id and s.server_id = e.server_id
      and s.id = coalesce(e.stream_id, s.id)
    where not exists (select from sending_pauses p
      where p.resumed_at is null and p.server_id = s.server_id and coalesce(p.stream_id, s.id) = s.id))`;

/** Makes due, oldest first, what no pause holds any more. Answers how much, and whether a pause has ended at all. */
export async function releaseParked(
  scope: SystemWriteScope,
  limit: number,
): Promise<{ readonly released: number; readonly anyEnded: boolean }> {
  const { rows } = await sql<{ released: number; anyEnded: boolean }>`
    with ${ended},
    free as materialized (
      select q.account_id, q.message_id, q.ordinal from (select distinct id from free_streams) as s
      cross join lateral (
        select account_id, message_id, ordinal from delivery_queue
        where parked and stream_id = s.id order by message_id limit ${limit} for update skip locked) as q
      limit ${limit}),
    released as (
      update delivery_queue q set due_at = ${scope.now}, parked = false from free
      where q.account_id = free.account_id and q.message_id = free.message_id and q.ordinal = free.ordinal
      returning 1)
    select (select count(*)::int from released) as released, exists (select from ended) as any_ended`.execute(scope.tx);
  return rows[0] ?? { released: 0, anyEnded: false };
}

/** Is done with ended pauses of which nothing is parked. */
export async function closePauses(scope: SystemWriteScope): Promise<void> {
  await sql`
    with ${ended}
    update sending_pauses done set released_at = ${scope.now} from ended e
    where done.account_id = e.account_id and done.id = e.id and not exists (
      select from free_streams s join delivery_queue q on q.parked and q.stream_id = s.id
      where s.account_id = e.account_id and s.pause_id = e.id)`.execute(scope.tx);
}
