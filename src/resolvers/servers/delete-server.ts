// Deletes a server: from now on it cannot be seen or used, and its tokens are dead. Its mail goes with retention.
import { revokeServerTokens } from '#/db/api-tokens.ts';
import { lockServer, updateServer } from '#/db/servers.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const deleteServer = command({
  permission: 'server.delete',
  errors: [NotFound],
  announces: ['config', 'tokens'],
  audit: ({ id }: { readonly id: string }, { name }: { readonly id: string; readonly name: string }) => ({
    action: 'server.delete',
    subjectIds: [encodeId('server', id)],
    changes: { name },
  }),
  async run({ scope, fail }, { id }) {
    const server = (await lockServer(scope, id)) ?? fail(new NotFound());
    await updateServer(scope, id, { deletedAt: scope.now });
    await revokeServerTokens(scope, id);
    return { id, name: server.name };
  },
});
