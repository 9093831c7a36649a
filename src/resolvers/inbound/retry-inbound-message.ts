// Takes an inbound message up again: one whose webhook failed, or one that was blocked.
import { findInboundMessages, type InboundMessageRow, requeueInboundMessage } from '#/db/inbound-messages.ts';
import { findInboundSettings } from '#/db/inbound-settings.ts';
import { wakeInboundEndpoints } from '#/db/inbound-work.ts';
import { findServer } from '#/db/servers.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const retryInboundMessage = command({
  permission: 'inbound.retry',
  errors: [NotFound, Conflict],
  announces: ['inbound'],
  audit: (_input: { readonly id: string }, message: InboundMessageRow) => ({
    action: 'inboundMessage.retry',
    subjectIds: [encodeId('inboundMessage', message.id)],
  }),
  async run({ scope, fail }, { id }) {
    const [message] = await findInboundMessages(scope, [id], scope.now);
    if (message === undefined || (await findServer(scope, message.serverId)) === undefined) return fail(new NotFound());
    const [settings] = await findInboundSettings(scope, [message.serverId]);
    const to = (settings?.url ?? null) === null ? 'PROCESSED' : 'QUEUED';
    const taken = await requeueInboundMessage(scope, id, ['FAILED', 'BLOCKED'], to);
    if (taken?.status === 'QUEUED') await wakeInboundEndpoints(scope, [taken]);
    return taken ?? fail(new Conflict('Only a message that failed or was blocked can be taken up again.'));
  },
});
