// Every pause and resume of a server, as it happens: each change once and in the order in which they were made, on any node.
import type { ReadScope } from '#/db/scope.ts';
import { findServer } from '#/db/servers.ts';
import { lastChange, listPausesSince, type SendingPauseRow } from '#/db/sending-pauses.ts';
import { NotFound } from '#/domain/errors.ts';
import { foremost } from '#/domain/sending-pause.ts';
import { TableFollower } from '#/events/table-follower.ts';
import { stream } from '../define.ts';
import type { Deps } from '../deps.ts';
import { onceATick } from '../events/once-a-tick.ts';
import { untilServerIsDeleted } from '../events/until-server-is-deleted.ts';

export interface SendingState {
  readonly serverId: string;
  readonly accountId: string;
  /** The most serious one in force; null: none. */
  readonly pause: SendingPauseRow | null;
}

/** Should a wake-up be lost. */
const POLL_MS = 10_000;

const reads = onceATick<readonly SendingPauseRow[]>();

type Place = Omit<SendingState, 'pause'>;

export function sendingStateOf({ serverId, accountId }: Place, pauses: readonly SendingPauseRow[]): SendingState {
  return { serverId, accountId, pause: foremost(pauses) };
}

export const followSendingState = stream({
  permission: 'server.read',
  errors: [NotFound],
  async open({ scope, deps, caller, fail }, { serverId }: { readonly serverId: string }) {
    const { id, accountId } = (await findServer(scope, serverId)) ?? fail(new NotFound());
    const place = { serverId: id, accountId };
    let seen = await lastChange(scope, id);
    const states = new TableFollower(deps, { topic: 'config', pollMs: POLL_MS }, async () => {
      const changes = await readChanges(deps, scope, place, seen);
      seen = changes.at(-1)?.number ?? seen;
      return { items: changes.map(({ state }) => state), pending: false };
    });
    return untilServerIsDeleted({ deps, scope, caller }, id, states);
  },
});

/** What was in force after each change since this one. Changes of a server follow each other: none is still to come below. */
async function readChanges({ db }: Deps, scope: ReadScope, place: Place, since: number) {
  const key = [place.serverId, scope.streamId, since].join(' ');
  const pauses = await reads(db, key, () => listPausesSince(scope, place.serverId, since));
  const numbers = pauses.flatMap(({ pausedChange, resumedChange }) => [pausedChange, resumedChange ?? 0]);
  const changes = [...new Set(numbers)].filter((number) => number > since).toSorted((one, other) => one - other);
  return changes.map((number) => {
    const inForce = pauses.filter(
      ({ pausedChange, resumedChange }) => pausedChange <= number && (resumedChange === null || resumedChange > number),
    );
    return { number, state: sendingStateOf(place, inForce) };
  });
}
