// The stream that a command is about, with its server locked, so that it cannot be deleted meanwhile.
import type { WriteScope } from '#/db/scope.ts';
import { findStreams, lockServer, type StreamRow } from '#/db/servers.ts';

export async function findStreamToChange(scope: WriteScope, id: string): Promise<StreamRow | null> {
  const [known] = await findStreams(scope, [id]);
  if (known === undefined || (await lockServer(scope, known.serverId)) === undefined) return null;
  // Read again under the lock: another command may have archived it.
  const [stream] = await findStreams(scope, [id]);
  return stream ?? null;
}
