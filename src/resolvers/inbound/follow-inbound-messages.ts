// Messages that come in to a server, as they come.
import { findServer } from '#/db/servers.ts';
import { NotFound } from '#/domain/errors.ts';
import { followInbound } from '#/events/inbound-log.ts';
import { stream } from '../define.ts';

export const followInboundMessages = stream({
  permission: 'inbound.read',
  errors: [NotFound],
  async open({ scope, deps, fail }, { serverId }: { readonly serverId: string }) {
    const { accountId, streamId } = scope;
    const server = (await findServer(scope, serverId)) ?? fail(new NotFound());
    return followInbound(deps, { accountId, serverId: server.id, streamId });
  },
});
