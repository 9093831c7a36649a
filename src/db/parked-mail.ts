// Mail that waits in the queue for the end of a pause. It is let go some at a time: there may be millions.
//
// Nothing is forgotten: whoever parks holds the pause in force until they have committed (holdPausedPlaces), so that whoever
// sees its end sees all that was parked under it, and an ended pause is done with only when nothing of it is parked.
import { sql } from 'kysely';
import type { SystemWriteScope } from './scope.ts';

/** Ended pauses that are looked after at once. */
const PAUSES = 100;

const ended = sql`
  ended as materialized (
    select account_id, id, server_id, stream_id from sending_pauses
    where resumed_at is not null and released_at is null order by server_id limit ${PAUSES})`;
const waitsFor = sql`
  q.parked and q.server_id = e.server_id and (e.stream_id is null or q.stream_id = e.stream_id)
  and not exists (select from sending_pauses p
    where p.resumed_at is null and p.server_id = q.server_id and (p.stream_id is null or p.stream_id = q.stream_id))`;

/** Makes due, oldest first, what no pause holds any more. Answers how much, and whether a pause has ended at all. */
export async function releaseParked(
  scope: SystemWriteScope,
  limit: number,
): Promise<{ readonly released: number; readonly anyEnded: boolean }> {
  const { rows } = await sql<{ released: number; anyEnded: boolean }>`
    with ${ended},
    free as materialized (
      select q.account_id, q.message_id, q.ordinal from ended e join delivery_queue q on ${waitsFor}
      order by q.message_id limit ${limit} for update of q skip locked),
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
    where done.account_id = e.account_id and done.id = e.id
      and not exists (select from delivery_queue q where ${waitsFor})`.execute(scope.tx);
}
