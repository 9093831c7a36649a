// Webhooks and their deliveries as they are read; what is done to them stands in webhook-mutations.ts. Nothing that is secret
// is shown: not header values, not credentials, not what stands in a query.
import { type DeliveryState, listDeliveries, type WebhookDeliveryRow } from '#/db/webhook-deliveries.ts';
import type { WebhookRow } from '#/db/webhooks.ts';
import { BadUserInput } from '#/domain/errors.ts';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { FAILURES_TO_FAIL, MAX_ANSWER_HEAD, RETRY_HOURS } from '#/domain/webhooks/rules.ts';
import { eventTypes } from '#/resolvers/events/message-events.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { MessageEventType } from './event.ts';
import { onItsServer, onServer } from './guards.ts';
import { loadersOf } from './loaders.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { Server } from './server.ts';

const WebhookHealth = builder.enumType('WebhookHealth', {
  description: 'Whether a webhook gets its events.',
  values: {
    UNVERIFIED: { description: 'It was saved without a trial call, and gets nothing until one succeeds.' },
    HEALTHY: { description: 'It takes what it is sent.' },
    FAILING: { description: `The last ${FAILURES_TO_FAIL} calls or more failed. It is still called.` },
    PAUSED: {
      description:
        'It took nothing for a day, or asked for no more calls. Its events wait; updateWebhook with enabled: true sends them, in order.',
    },
  } as const,
});

const WebhookDeliveryState = builder.enumType('WebhookDeliveryState', {
  description: 'What has become of a delivery.',
  values: {
    PENDING: { description: 'It is to be sent, for the first time or again.' },
    SUCCEEDED: { description: 'The endpoint has taken it: it answered 2xx.' },
    FAILED: { description: 'It is not sent any more. retryWebhookDelivery or a replay sends it again.' },
  } as const,
});

function healthOf({ verifiedAt, pausedAt, failures, refusals }: WebhookRow) {
  if (verifiedAt === null) return 'UNVERIFIED';
  if (pausedAt !== null) return 'PAUSED';
  return failures >= FAILURES_TO_FAIL || refusals >= FAILURES_TO_FAIL ? 'FAILING' : 'HEALTHY';
}

export const WebhookDelivery = builder.objectRef<WebhookDeliveryRow>('WebhookDelivery').implement({
  description: guarded('webhook.read', 'An event on its way to a webhook. Kept as long as the event.'),
  interfaces: [builder.nodeInterfaceRef()],
  authScopes: onItsServer('webhook.read'),
  fields: (t) => ({
    id: t.id({ description: 'Global id, whd_….', resolve: ({ id }) => encodeId('webhookDelivery', id) }),
    eventId: t.id({
      description: 'The event, and the header webhook-id of each of its calls.',
      resolve: ({ eventId }) => encodeId('event', eventId),
    }),
    eventType: t.field({ type: MessageEventType, description: 'Its type.', resolve: ({ eventType }) => eventType }),
    state: t.field({
      type: WebhookDeliveryState,
      description: 'What has become of it.',
      resolve: ({ state }) => state,
    }),
    replayed: t.exposeBoolean('replayed', { description: 'It comes from a replay.' }),
    attempts: t.exposeInt('attempts', { description: 'Calls so far; since it was last set going by hand.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was taken from the log.' }),
    lastAttemptAt: t.expose('lastAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last called; null: not yet.',
    }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: `When it is called next; null when it has ended, or its webhook is not called. While an endpoint fails, only the oldest is tried at its time. Given up after ${RETRY_HOURS} hours.`,
      resolve: async (delivery, _args, context) => {
        if (delivery.nextAttemptAt === null) return null;
        const webhook = await loadersOf(context, delivery).webhook.load(delivery.webhookId);
        if (webhook === null || !webhook.enabled || healthOf(webhook) === 'UNVERIFIED' || webhook.pausedAt !== null)
          return null;
        const { notBefore } = webhook;
        return notBefore !== null && notBefore > delivery.nextAttemptAt ? notBefore : delivery.nextAttemptAt;
      },
    }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description: 'HTTP status of the last answer; null when there was none.',
    }),
    lastError: t.exposeString('lastError', {
      nullable: true,
      description: 'Why the last call failed; null: it did not.',
    }),
    lastLatencyMs: t.exposeInt('lastLatencyMs', {
      nullable: true,
      description: 'Milliseconds that the last call took, from lookup to answer.',
    }),
    responseHead: t.exposeString('responseHead', {
      nullable: true,
      description: `The first ${MAX_ANSWER_HEAD} characters of the last answer; null when there was none.`,
    }),
  }),
});

const WebhookDeliveryConnection = builder.connectionObject(
  { type: WebhookDelivery, name: 'WebhookDeliveryConnection', description: 'A page of deliveries.' },
  { name: 'WebhookDeliveryEdge', description: 'A delivery in its list.' },
);

export const Webhook = builder.objectRef<WebhookRow>('Webhook').implement({
  description: guarded('webhook.read', 'An endpoint that gets events of a server, signed after Standard Webhooks.'),
  interfaces: [builder.nodeInterfaceRef()],
  authScopes: onItsServer('webhook.read'),
  fields: (t) => ({
    id: t.id({ description: 'Global id, whk_….', resolve: ({ id }) => encodeId('webhook', id) }),
    url: t.exposeString('urlShown', { description: 'Where it is; values in its query are left out.' }),
    events: t.field({
      type: [MessageEventType],
      description: 'The events that it gets.',
      resolve: ({ events }) => eventTypes.filter((type) => events.includes(type)),
    }),
    streams: t.stringList({
      description: 'Slugs of the streams whose events it gets; empty: all.',
      resolve: async (webhook, _args, context) => {
        const streams = await loadersOf(context, webhook).streamsOfServer.load(webhook.serverId);
        return streams.filter(({ id }) => webhook.streamIds.includes(id)).map(({ slug }) => slug);
      },
    }),
    enabled: t.exposeBoolean('enabled', { description: 'It is not turned off.' }),
    health: t.field({ type: WebhookHealth, description: 'Whether it gets its events.', resolve: healthOf }),
    headerNames: t.exposeStringList('headerNames', {
      description: 'Headers that go with each call; their values are never shown.',
    }),
    hasBasicAuth: t.exposeBoolean('hasBasicAuth', { description: 'Basic credentials go with each call.' }),
    publicKey: t.exposeString('publicKey', {
      nullable: true,
      description: 'Verifies the v1a (Ed25519) signatures: whpk_…; null when it has only v1.',
    }),
    previousSecretUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Until when the secret before signs too; null when only one does.',
      resolve: ({ previousSecretUntil }, _args, { deps }) =>
        previousSecretUntil !== null && previousSecretUntil > deps.clock.now() ? previousSecretUntil : null,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    verifiedAt: t.expose('verifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its trial calls last succeeded; null: not yet.',
    }),
    lastSuccessAt: t.expose('lastSuccessAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last took an event, right to some seconds.',
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when no call had an answer that counts; null when the last one had.',
    }),
    pausedAt: t.expose('pausedAt', { type: 'DateTime', nullable: true, description: 'Since when it is paused.' }),
    deliveries: t.field({
      type: WebhookDeliveryConnection,
      description: 'What was sent and is to be sent, newest first.',
      extensions: { cost: 5 },
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
        state: t.arg({ type: WebhookDeliveryState, required: false, description: 'Only these; all unless given.' }),
      },
      resolve: async (webhook, args, context) => {
        const first = checkFirst(args.first);
        const after = args.after ?? null;
        const before = after === null ? null : decodeIdOf('webhookDelivery', after);
        if (after !== null && before === null) throw new BadUserInput('after is not a cursor of this list.');
        const state: DeliveryState | null = args.state ?? null;
        const { scope } = within(context, webhook.accountId);
        const rows = await listDeliveries(scope, { webhookId: webhook.id, state, before, limit: first + 1 });
        const page = { hasMore: rows.length > first, after };
        return connectionOf(rows.slice(0, first), page, ({ id }) => encodeId('webhookDelivery', id));
      },
    }),
  }),
});

builder.objectField(Server, 'webhooks', (t) =>
  t.withAuth(onServer('webhook.read')).field({
    type: [Webhook],
    description: guarded('webhook.read', 'The webhooks of the server, oldest first.'),
    resolve: async (server, _args, context) => [...(await loadersOf(context, server).webhooksOfServer.load(server.id))],
  }),
);
