// Mail that a site takes no more of for a while: given back untried with a time (site-pace.ts), and let go before it when
// the staff ends what held it.
import { sql } from 'kysely';
import type { SystemWriteScope } from './scope.ts';

/** Makes due what is held at the site, `limit` at once: there may be millions. Answers how much. */
export async function releaseHeld(scope: SystemWriteScope, site: string, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    with free as materialized (
      select account_id, message_id, ordinal from delivery_queue
      where held = hashtext(${site}) limit ${limit} for update skip locked)
    update delivery_queue q set due_at = ${scope.now}, held = null
    from free
    where q.account_id = free.account_id and q.message_id = free.message_id and q.ordinal = free.ordinal`.execute(
    scope.tx,
  );
  return Number(numAffectedRows ?? 0n);
}
