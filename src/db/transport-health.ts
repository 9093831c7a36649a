// What the workers of an installation tell each other of their relays and sources: which are out of order, and where an
// address is there at all.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type { TransportHealthTable } from './tables.gen.ts';

export type HealthRow = Selectable<TransportHealthTable>;

export function listHealth(db: SystemScope['db']): Promise<HealthRow[]> {
  return db.selectFrom('transportHealth').selectAll().execute();
}

/**
 * Puts on record that it failed. `before`: when what the worker knew of it was written, null: nothing was. False: somebody
 * has told meanwhile, and their word stands.
 */
export async function recordFailure(scope: SystemWriteScope, row: HealthRow, before: Date | null): Promise<boolean> {
  const { subject: _, ...changes } = row;
  const written = await scope.tx
    .insertInto('transportHealth')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column('subject')
        .doUpdateSet(changes)
        .where('transportHealth.changedAt', '=', before ?? new Date(0)),
    )
    .returning('subject')
    .executeTakeFirst();
  return written !== undefined;
}

/** True: this worker is the one that looks whether it works again, until `until`. */
export async function takeLook(scope: SystemWriteScope, subject: string, until: Date): Promise<boolean> {
  const taken = await scope.tx
    .updateTable('transportHealth')
    .set({ lookAt: until })
    .where('subject', '=', subject)
    .where('outSince', 'is not', null)
    .where('lookAt', '<=', scope.now)
    .returning('subject')
    .executeTakeFirst();
  return taken !== undefined;
}

/** What it was stays on record for the next time. */
export async function recordRecovery(scope: SystemWriteScope, subject: string): Promise<void> {
  await scope.tx
    .updateTable('transportHealth')
    .set({ outSince: null, lookAt: null, changedAt: scope.now })
    .where('subject', '=', subject)
    .where('outSince', 'is not', null)
    .execute();
}

/** Somebody has mended it, or taken it away. */
export async function forgetHealth(scope: SystemWriteScope, subjects: readonly string[]): Promise<void> {
  await sql`delete from transport_health where subject = any(${array('text', subjects)})`.execute(scope.tx);
}

/** Says that this node has the addresses; what was said by nodes that are gone goes. */
export async function announcePresence(
  scope: SystemWriteScope,
  node: string,
  addresses: readonly string[],
  until: Date,
): Promise<void> {
  await sql`delete from transport_presence where until < ${scope.now} or (node = ${node}::uuid
    and address <> all(${array('text', addresses)}))`.execute(scope.tx);
  await sql`
    insert into transport_presence (address, node, until)
    select address, ${node}::uuid, ${until} from unnest(${array('text', addresses)}) as a (address)
    on conflict (address, node) do update set until = excluded.until`.execute(scope.tx);
}

/** Addresses that some node has. */
export async function listPresent(db: SystemScope['db'], now: Date): Promise<Set<string>> {
  const rows = await db.selectFrom('transportPresence').select('address').distinct().where('until', '>', now).execute();
  return new Set(rows.map(({ address }) => address));
}
