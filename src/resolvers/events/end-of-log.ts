// Where a server's log ends now. Who begins from there misses nothing, also when the first connection breaks before the
// first event has come with a cursor of its own.
import { findServer } from '#/db/servers.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeCursor } from '#/events/cursor.ts';
import { readHorizon } from '#/events/log.ts';
import { query } from '../define.ts';

export const endOfLog = query({
  permission: 'event.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, { serverId }: { readonly serverId: string }): Promise<string> {
    if ((await findServer(scope, serverId)) === undefined) fail(new NotFound());
    return encodeCursor(serverId, await readHorizon(deps.db));
  },
});
