// Tries a delivery now that has failed, or waits: with another day before it is given up.
import { findDeliveries, restartDelivery, type WebhookDeliveryRow } from '#/db/webhook-deliveries.ts';
import { lockWebhook, updateWebhook } from '#/db/webhooks.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const retryWebhookDelivery = command({
  permission: 'webhook.write',
  errors: [NotFound, Conflict],
  announces: ['webhooks'],
  audit: (_input: { readonly id: string }, { id, webhookId }: WebhookDeliveryRow) => ({
    action: 'webhook.retryDelivery',
    subjectIds: [encodeId('webhookDelivery', id), encodeId('webhook', webhookId)],
  }),
  async run({ scope, fail }, { id }) {
    const [found] = await findDeliveries(scope, [id]);
    if (found === undefined) return fail(new NotFound());
    if ((await lockWebhook(scope, found.webhookId)) === undefined) fail(new NotFound());
    const delivery = await restartDelivery(scope, found);
    if (delivery === undefined) return fail(new Conflict('It has succeeded: a replay sends it again.'));
    await updateWebhook(scope, found.webhookId, {});
    return delivery;
  },
});
