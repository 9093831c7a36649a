// Messages that come in to a server, as they come.
import { findServer } from '#/db/servers.ts';
import { NotFound } from '#/domain/errors.ts';
import { followInbound } from '#/events/inbound-log.ts';
import { stream } from '../define.ts';
import { untilServerIsDeleted } from '../events/until-server-is-deleted.ts';

export const followInboundMessages = stream({
  permission: 'inbound.read',
  errors: [NotFound],
  async open({ scope, deps, caller, fail }, { serverId }: { readonly serverId: string }) {
    const { accountId, streamId } = scope;
    const server = (await findServer(scope, serverId)) ?? fail(new NotFound());
    const messages = await followInbound(deps, { accountId, serverId: server.id, streamId });
    return untilServerIsDeleted({ deps, scope, caller }, server.id, messages);
  },
});
