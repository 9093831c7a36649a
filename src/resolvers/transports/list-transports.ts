// The transports that the operator made, with what is known of their health and who takes them. For the staff of the
// installation.
import { type HealthRow, listHealth, listPresent } from '#/db/transport-health.ts';
import { type ChoiceRow, listChoices, listTransports, type TransportRows } from '#/db/transports.ts';
import { subjectOfRelay, subjectOfSource } from '#/domain/delivery/transports.ts';
import { Forbidden } from '#/domain/errors.ts';
import type { Deps } from '../deps.ts';
import type { Visitor } from '../visitor.ts';

export const MAX_LISTED_CHOICES = 500;

export interface MemberState {
  /** Null: nothing was ever wrong. */
  readonly health: HealthRow | null;
  /** Of a source: no node has all its addresses. */
  readonly isAbsent: boolean;
}

/** Of a member that is new: it is taken to work. */
export const unknownState: MemberState = { health: null, isAbsent: false };

export interface ListedTransport extends TransportRows {
  readonly states: ReadonlyMap<string, MemberState>;
}

/** All, by name. */
export async function findTransports({ db, clock }: Pick<Deps, 'db' | 'clock'>): Promise<ListedTransport[]> {
  const [all, health, present] = await Promise.all([listTransports(db), listHealth(db), listPresent(db, clock.now())]);
  const bySubject = new Map(health.map((row) => [row.subject, row]));
  return all.map((rows) => ({
    ...rows,
    states: new Map([
      ...rows.relays.map((relay): [string, MemberState] => {
        const subject = subjectOfRelay(rows.transport.name, relay);
        return [relay.id, { health: bySubject.get(subject) ?? null, isAbsent: false }];
      }),
      ...rows.sources.map((source): [string, MemberState] => {
        const addresses = [source.ipv4, source.ipv6].filter((address) => address !== null);
        const isAbsent = !addresses.every((address) => present.has(address));
        return [source.id, { health: bySubject.get(subjectOfSource(source)) ?? null, isAbsent }];
      }),
    ]),
  }));
}

export function listAllTransports(deps: Deps, visitor: Visitor): Promise<ListedTransport[]> {
  assertStaff(visitor);
  return findTransports(deps);
}

export function listTransportChoices(
  { db }: Deps,
  visitor: Visitor,
  { transportId, limit }: { readonly transportId: string; readonly limit: number },
): Promise<ChoiceRow[]> {
  assertStaff(visitor);
  return listChoices(db, transportId, Math.min(limit, MAX_LISTED_CHOICES));
}

function assertStaff({ person }: Visitor): void {
  if (person?.staff !== true) throw new Forbidden('transports are for the staff of the installation');
}
