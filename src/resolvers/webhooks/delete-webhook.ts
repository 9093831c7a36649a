// Deletes a webhook. What waits for it is not sent; its deliveries cannot be seen any more.
import { deleteWebhook as deleteRow, lockWebhook, type WebhookRow } from '#/db/webhooks.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const deleteWebhook = command({
  permission: 'webhook.write',
  errors: [NotFound],
  announces: ['webhooks'],
  audit: (_input: { readonly id: string }, { id, serverId, urlShown }: WebhookRow) => ({
    action: 'webhook.delete',
    subjectIds: [encodeId('webhook', id), encodeId('server', serverId)],
    changes: { url: urlShown },
  }),
  async run({ scope, fail }, { id }) {
    const webhook = (await lockWebhook(scope, id)) ?? fail(new NotFound());
    await deleteRow(scope, id);
    return webhook;
  },
});
