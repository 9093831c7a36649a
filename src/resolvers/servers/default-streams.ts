// The streams that every server starts with.
import { insertStream } from '#/db/servers.ts';
import type { WriteScope } from '#/db/scope.ts';
import { defaultStreams } from '#/domain/streams.ts';
import type { Ids } from '#/runtime/ports.ts';

export async function insertDefaultStreams(scope: WriteScope, ids: Ids, serverId: string): Promise<void> {
  for (const { slug, name, kind } of defaultStreams) {
    await insertStream(scope, {
      accountId: scope.accountId,
      id: ids.next(),
      serverId,
      slug,
      name,
      description: null,
      kind,
      createdAt: scope.now,
      inDoubtPolicy: 'RETRY' as const,
      lifetimeMinutes: null,
      tlsPolicy: 'OPPORTUNISTIC' as const,
      archivedAt: null,
      purgeAt: null,
    });
  }
}
