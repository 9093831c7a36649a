// Calls a webhook now with made-up events, and tells what came of it. One that was not verified is, when all of its events
// pass.
import { findWebhook, lockWebhook, updateWebhook, type WebhookRow } from '#/db/webhooks.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { openEndpoint } from '#/domain/webhooks/endpoint.ts';
import { type EventType, eventTypes } from '#/events/catalogue.ts';
import { command } from '../define.ts';
import { type TrialResult, tryEndpoint } from './trial-calls.ts';

export interface TestWebhookRequest {
  readonly id: string;
  /** Null: all of the webhook's. */
  readonly events: readonly EventType[] | null;
}

export interface WebhookTest {
  readonly webhook: WebhookRow;
  readonly results: readonly TrialResult[];
}

export const testWebhook = command({
  permission: 'webhook.write',
  errors: [NotFound, InvalidInput],
  announces: ['webhooks'],
  audit: ({ id }: TestWebhookRequest, { results }: WebhookTest) => ({
    action: 'webhook.test',
    subjectIds: [encodeId('webhook', id)],
    changes: { passed: results.every(({ passed }) => passed) },
  }),
  async prepare({ scope, deps, fail }, { id, events }) {
    const webhook = (await findWebhook(scope, id)) ?? fail(new NotFound());
    if (events?.length === 0) fail(InvalidInput.at(['events'], 'is empty'));
    const types = eventTypes.filter((type) => (events ?? webhook.events).includes(type));
    const endpoint = openEndpoint(webhook, deps.secrets, deps.clock.now());
    const results = await tryEndpoint(deps, endpoint, webhook.serverId, types);
    return { results, revision: webhook.revision };
  },
  async run({ scope, prepared, fail }, { id }): Promise<WebhookTest> {
    const webhook = (await lockWebhook(scope, id)) ?? fail(new NotFound());
    const { results, revision } = prepared;
    const passed = new Set<string>(results.filter((result) => result.passed).map(({ type }) => type));
    const verified = webhook.revision === revision && webhook.events.every((type) => passed.has(type));
    if (webhook.verifiedAt !== null || !verified) return { webhook, results };
    return { webhook: await updateWebhook(scope, id, { verifiedAt: scope.now }), results };
  },
});
