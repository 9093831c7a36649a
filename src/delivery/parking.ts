// What is claimed of a paused server waits for the end of the pause: in the queue, out of the line, until its time to be
// delivered is over. Here the decision is made for good, under the pauses as they are when it is written down.
import { holdPausedPlaces } from '#/db/sending-pauses.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { PausedSet } from './paused-places.ts';
import type { Settlement } from './record.ts';

const isParked = ({ decision }: Settlement) => decision.status === 'RETURNED' && decision.parked === true;

/** What was resumed meanwhile is due again at once. */
export async function underPauses(
  scope: SystemWriteScope,
  settlements: readonly Settlement[],
): Promise<readonly Settlement[]> {
  const asking = settlements.filter(isParked);
  if (asking.length === 0) return settlements;
  const serverIds = [...new Set(asking.map(({ claim }) => claim.serverId))];
  const paused = new PausedSet(await holdPausedPlaces(scope, serverIds));
  return settlements.map((settlement) =>
    !isParked(settlement) || paused.has(settlement.claim)
      ? settlement
      : { ...settlement, decision: { status: 'RETURNED', dueAt: scope.now } },
  );
}
