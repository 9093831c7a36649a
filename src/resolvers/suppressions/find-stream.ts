// The stream whose suppressions a use-case is about; null when the scope does not reach it, or its server is gone.
import type { ReadScope } from '#/db/scope.ts';
import { findServer, findStreams, type StreamRow } from '#/db/servers.ts';

export async function findStream(scope: ReadScope, id: string): Promise<StreamRow | null> {
  const [stream] = await findStreams(scope, [id]);
  if (stream === undefined) return null;
  return (await findServer(scope, stream.serverId)) === undefined ? null : stream;
}
