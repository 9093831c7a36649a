// Events for tests of counters, and the wait until all of them are counted.
import { sql } from 'kysely';
import type { Database } from '#/db/client.ts';
import { type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { bucketAt } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import { countNew } from '#/maintenance/counting.ts';
import { recount, type Recounted } from '#/maintenance/recount.ts';
import type { Clock, Ids } from '#/runtime/ports.ts';
import { systemClock } from '#/runtime/clock.ts';

export interface Counted {
  readonly system: SystemScope;
  readonly db: Database;
  readonly deps: { readonly clock: Clock; readonly ids: Ids };
}

export type Happening = Partial<NewEvent> & { readonly retentionDays?: number };
export type Place = Pick<NewEvent, 'accountId' | 'serverId' | 'streamId'>;

/** In one transaction, which lasts as long as `open`. */
export async function happen(
  { system, deps }: Counted,
  place: Place,
  happenings: readonly Happening[],
  open: () => Promise<unknown> = async () => {},
): Promise<void> {
  const now = deps.clock.now();
  await writeInSystemScope(system, now, async (scope) => {
    const events = happenings.map(({ retentionDays = 45, ...more }) => ({
      ...place,
      id: deps.ids.next(),
      messageId: deps.ids.nextInBucket(bucketAt(now, retentionDays)),
      type: 'ACCEPTED',
      recipient: 'ann@receiver.example',
      tag: null,
      metadata: null,
      data: null,
      ...more,
    }));
    await append(scope, events as NewEvent[]);
    await open();
  });
}

/** The horizon waits for transactions of other tests too, some milliseconds. */
export async function countAll({ system, db, deps }: Counted): Promise<void> {
  for (;;) {
    await countNew({ system, clock: deps.clock }, { holder: null });
    const { rows } = await sql<{ left: boolean }>`select exists (
        select from events e, counter_cursors c where c.source = 'events' and (e.log_xact, e.id) > (c.xact, c.id))
      or exists (select from inbound_messages m, counter_cursors c
        where c.source = 'inbound' and (m.received_xact, m.id) > (c.xact, c.id)) as left`.execute(db);
    if (rows[0]?.left === false) return;
    await systemClock.sleep(2);
  }
}

export async function recounted(
  { system, deps }: Counted,
  repair = false,
): Promise<{ readonly rows: number; readonly differences: Recounted['differences'] }> {
  let rows = 0;
  const differences: Recounted['differences'][number][] = [];
  for await (const part of recount({ system, clock: deps.clock }, 100, repair)) {
    if (part.unit === 'day') rows += part.rows;
    differences.push(...part.differences);
  }
  return { rows, differences };
}
