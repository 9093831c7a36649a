// Whether everything accepted is accounted for: accepted = settled in one of the final states + still open. Both sides
// are counted by triggers, apart from each other: the one on recipients, the other on the queue.
import { sql } from 'kysely';
import type { SystemScope, SystemWriteScope } from './scope.ts';

const settledStates = ['DELIVERED', 'BOUNCED', 'EXPIRED', 'CANCELLED', 'SUPPRESSED', 'IN_DOUBT'] as const;

export interface DeliveryBalance {
  readonly accepted: number;
  readonly settled: Readonly<Record<(typeof settledStates)[number], number>>;
  /** Rows of the queue. */
  readonly open: number;
  /** Accepted, and neither settled nor open: must be 0. */
  readonly unaccounted: number;
}

/** Of all time: tallies outlive the messages. Sums the differences up as it goes, so that the next reader finds few. */
export async function readBalance({ tx }: SystemWriteScope): Promise<DeliveryBalance> {
  // One at a time; the statement after it sees what the one before has summed up.
  await sql`select pg_advisory_xact_lock(hashtext('veredus.tallies'))`.execute(tx);
  const { rows } = await sql<{ kind: string; sum: number }>`
    with gone as (delete from delivery_tallies returning bucket, kind, count),
      summed as (select bucket, kind, sum(count)::bigint as count from gone group by bucket, kind),
      kept as (
        insert into delivery_tallies (bucket, kind, count) select bucket, kind, count from summed where count <> 0)
    select kind, sum(count)::bigint as sum from summed group by kind`.execute(tx);
  const sums = new Map(rows.map(({ kind, sum }) => [kind, sum]));
  const of = (kind: string) => sums.get(kind) ?? 0;
  const accepted = of('ACCEPTED');
  const open = of('OPEN');
  const settled = {
    DELIVERED: of('DELIVERED'),
    BOUNCED: of('BOUNCED'),
    EXPIRED: of('EXPIRED'),
    CANCELLED: of('CANCELLED'),
    SUPPRESSED: of('SUPPRESSED'),
    IN_DOUBT: of('IN_DOUBT'),
  };
  const unaccounted = settledStates.reduce((left, state) => left - settled[state], accepted - open);
  return { accepted, settled, open, unaccounted };
}

/** What the queue really holds, row by row: grows with the backlog, for the operator's own question. */
export async function countQueued(scope: SystemScope): Promise<number> {
  const { rows } = await sql<{ rows: number }>`select count(*) as rows from delivery_queue`.execute(scope.db);
  return rows[0]?.rows ?? 0;
}
