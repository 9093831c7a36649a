// Sends every event of a range again, with the ids they had: a note of the range, which whoever calls the webhook works off
// in the order of the log.
import { countReplays, findWebhook, insertReplay, lockWebhook, updateWebhook, type WebhookRow } from '#/db/webhooks.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt } from '#/domain/retention.ts';
import { MAX_REPLAY, MAX_REPLAYS } from '#/domain/webhooks/rules.ts';
import { eventTypes } from '#/events/catalogue.ts';
import { FIRST_ID, readHorizon } from '#/events/log.ts';
import { countRange } from '#/events/log-range.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';

export interface ReplayWebhookRequest {
  readonly id: string;
  readonly since: Date;
  /** Not included. */
  readonly until: Date;
}

export interface WebhookReplay {
  /** How many will be sent. */
  readonly deliveries: number;
}

export const replayWebhook = command({
  permission: 'webhook.write',
  errors: [NotFound, InvalidInput, LimitReached],
  announces: ['webhooks'],
  audit: ({ id, since, until }: ReplayWebhookRequest, { deliveries }: WebhookReplay) => ({
    action: 'webhook.replay',
    subjectIds: [encodeId('webhook', id)],
    changes: { since, until, deliveries },
  }),
  async prepare({ scope, deps, fail }, input) {
    const webhook = (await findWebhook(scope, input.id)) ?? fail(new NotFound());
    if (input.since >= input.until) fail(InvalidInput.at(['until'], 'is not after since'));
    const { xact } = await readHorizon(deps.db);
    const deliveries = await count(deps, webhook, input, xact);
    if (deliveries > MAX_REPLAY)
      fail(
        InvalidInput.at(['until'], `the range holds more than ${MAX_REPLAY} events: take a shorter one, then the next`),
      );
    return { deliveries, throughXact: xact };
  },
  async run({ scope, inside, prepared, fail }, { id, since, until }): Promise<WebhookReplay> {
    if ((await lockWebhook(scope, id)) === undefined) fail(new NotFound());
    const { deliveries, throughXact } = prepared;
    if (deliveries === 0) return { deliveries };
    if ((await countReplays(scope, id)) >= MAX_REPLAYS)
      fail(new LimitReached('replays of a webhook that are under way', MAX_REPLAYS));
    await insertReplay(scope, {
      accountId: scope.accountId,
      id: inside.ids.next(),
      webhookId: id,
      since,
      until,
      cursorXact: 0,
      cursorId: FIRST_ID,
      throughXact,
      createdAt: scope.now,
    });
    await updateWebhook(scope, id, {});
    return { deliveries };
  },
});

function count(deps: Deps, webhook: WebhookRow, { since, until }: ReplayWebhookRequest, throughXact: number) {
  const range = {
    accountId: webhook.accountId,
    serverId: webhook.serverId,
    types: eventTypes.filter((type) => webhook.events.includes(type)),
    streamIds: webhook.streamIds.length === 0 ? null : webhook.streamIds,
    since,
    until,
    throughXact,
    fromBucket: bucketAt(deps.clock.now(), 0),
  };
  return countRange(deps.db, range, MAX_REPLAY + 1);
}
