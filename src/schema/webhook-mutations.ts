// What is done to webhooks.
import { encodeId } from '#/domain/ids.ts';
import {
  MAX_BASIC_AUTH,
  MAX_OWN_HEADER_VALUE,
  MAX_OWN_HEADERS,
  MAX_REPLAY,
  MAX_REPLAYS,
  MAX_ROTATION_HOURS,
  MAX_URL,
  MAX_WEBHOOKS,
  RETRY_HOURS,
} from '#/domain/webhooks/rules.ts';
import { createWebhook, type IssuedWebhook as Issued } from '#/resolvers/webhooks/create-webhook.ts';
import { deleteWebhook } from '#/resolvers/webhooks/delete-webhook.ts';
import { replayWebhook, type WebhookReplay as Replay } from '#/resolvers/webhooks/replay-webhook.ts';
import { retryWebhookDelivery } from '#/resolvers/webhooks/retry-webhook-delivery.ts';
import { rotateWebhookSecret } from '#/resolvers/webhooks/rotate-webhook-secret.ts';
import { testWebhook, type WebhookTest as Test } from '#/resolvers/webhooks/test-webhook.ts';
import type { TrialResult } from '#/resolvers/webhooks/trial-calls.ts';
import { updateWebhook } from '#/resolvers/webhooks/update-webhook.ts';
import { builder, guarded } from './builder.ts';
import { HeaderInput } from './email.ts';
import { resultUnion } from './errors.ts';
import { MessageEventType } from './event.ts';
import { uuidOf } from './ids.ts';
import { Deleted, IdInput, RotateTokenInput } from './inputs.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { Webhook, WebhookDelivery } from './webhook.ts';

const urlText = `https, port 443, 80 or 8000 to 8999, without credentials, leading to public addresses; at most ${MAX_URL} characters.`;
const headersText = `Go with each call, and are never shown again; at most ${MAX_OWN_HEADERS}, values of at most ${MAX_OWN_HEADER_VALUE} ASCII characters. Not those of the connection, host, content-… and webhook-….`;
const streamsText = 'Slugs of the streams whose events it gets; all of them when empty';

const BasicAuthInput = builder.inputType('BasicAuthInput', {
  description: 'Credentials for HTTP Basic authentication.',
  fields: (t) => ({
    username: t.string({ description: `At most ${MAX_BASIC_AUTH} characters, no colon.` }),
    password: t.string({ description: `At most ${MAX_BASIC_AUTH} characters. Never shown again.` }),
  }),
});

const CreateWebhookInput = builder.inputType('CreateWebhookInput', {
  description: 'A new webhook.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server whose events it gets.' }),
    url: t.string({ description: urlText }),
    events: t.field({ type: [MessageEventType], description: 'The events that it gets; at least one.' }),
    streams: t.stringList({ required: false, description: `${streamsText} or not given.` }),
    headers: t.field({ type: [HeaderInput], required: false, description: headersText }),
    basicAuth: t.field({
      type: BasicAuthInput,
      required: false,
      description: 'Goes with each call, never shown again.',
    }),
    ed25519: t.boolean({
      required: false,
      description: 'Sign with Ed25519 too (v1a), so that who verifies holds no secret; not unless said.',
    }),
    skipVerification: t.boolean({
      required: false,
      description: 'Save it without the trial call; it gets nothing until verified.',
    }),
  }),
});

const UpdateWebhookInput = builder.inputType('UpdateWebhookInput', {
  description:
    'Changes to a webhook. What is left out stays as it is; null clears streams, headers and basicAuth, and is refused elsewhere.',
  fields: (t) => ({
    id: t.id({ description: 'The webhook.' }),
    url: t.string({ required: false, description: urlText }),
    events: t.field({ type: [MessageEventType], required: false, description: 'The events that it gets from now on.' }),
    streams: t.stringList({ required: false, description: `${streamsText}.` }),
    headers: t.field({ type: [HeaderInput], required: false, description: `All of them anew. ${headersText}` }),
    basicAuth: t.field({
      type: BasicAuthInput,
      required: false,
      description: 'Goes with each call, never shown again.',
    }),
    enabled: t.boolean({
      required: false,
      description:
        'false turns it off. true turns it on, also after a pause: it gets what it has missed, one event after the other in the order of the log, and then goes on.',
    }),
    skipMissed: t.boolean({
      required: false,
      description: 'With enabled: true: what it has missed is not sent. A replay can still send it.',
    }),
    skipVerification: t.boolean({
      required: false,
      description: 'Save without trial calls. With another URL it gets nothing then until it is verified.',
    }),
  }),
});

const ReplayWebhookInput = builder.inputType('ReplayWebhookInput', {
  description: 'A range of time.',
  fields: (t) => ({
    id: t.id({ description: 'The webhook.' }),
    since: t.field({ type: 'DateTime', description: 'From here on.' }),
    until: t.field({ type: 'DateTime', description: 'Up to here, not included.' }),
  }),
});

const TestWebhookInput = builder.inputType('TestWebhookInput', {
  description: 'A test of a webhook.',
  fields: (t) => ({
    id: t.id({ description: 'The webhook.' }),
    events: t.field({ type: [MessageEventType], required: false, description: "All of the webhook's unless given." }),
  }),
});

const IssuedWebhook = builder.objectRef<Issued>('IssuedWebhook').implement({
  description: 'A webhook with its secret.',
  fields: (t) => ({
    webhook: t.field({ type: Webhook, description: 'The webhook.', resolve: ({ webhook }) => webhook }),
    secret: t.exposeString('secret', { description: 'Standard Webhooks secret (whsec_…), shown this once.' }),
  }),
});

const WebhookReplay = builder.objectRef<Replay>('WebhookReplay').implement({
  description: 'A replay that has begun.',
  fields: (t) => ({
    deliveries: t.exposeInt('deliveries', {
      description: 'Events of the range that are still kept and are sent again, in the order of the log.',
    }),
  }),
});

const WebhookTestResult = builder.objectRef<TrialResult>('WebhookTestCall').implement({
  description: 'A call with a made-up event (`test: true`).',
  fields: (t) => ({
    event: t.field({ type: MessageEventType, description: 'Its type.', resolve: ({ type }) => type }),
    passed: t.exposeBoolean('passed', { description: 'It was answered 2xx.' }),
    status: t.exposeInt('status', { nullable: true, description: 'HTTP status; null when there was no answer.' }),
    error: t.exposeString('error', { nullable: true, description: 'Why it failed; null: it did not.' }),
    latencyMs: t.exposeInt('latencyMs', { description: 'Milliseconds from lookup to answer.' }),
    responseHead: t.exposeString('responseHead', { nullable: true, description: 'The beginning of the answer.' }),
  }),
});

const WebhookTest = builder.objectRef<Test>('WebhookTest').implement({
  description: 'What test calls came to.',
  fields: (t) => ({
    webhook: t.field({ type: Webhook, description: 'As it is now.', resolve: ({ webhook }) => webhook }),
    passed: t.boolean({
      description: 'All calls passed.',
      resolve: ({ results }) => results.every(({ passed }) => passed),
    }),
    calls: t.field({
      type: [WebhookTestResult],
      description: 'One for each type of event.',
      resolve: ({ results }) => [...results],
    }),
  }),
});

const results = {
  create: resultUnion('CreateWebhookResult', IssuedWebhook, createWebhook, 'The webhook, or why there is none.'),
  update: resultUnion('UpdateWebhookResult', Webhook, updateWebhook, 'The webhook, or why it stays as it was.'),
  rotate: resultUnion(
    'RotateWebhookSecretResult',
    IssuedWebhook,
    rotateWebhookSecret,
    'The new secret, or why there is none.',
  ),
  delete: resultUnion('DeleteWebhookResult', Deleted, deleteWebhook, 'The id that it had, or why it is not deleted.'),
  replay: resultUnion('ReplayWebhookResult', WebhookReplay, replayWebhook, 'What is sent, or why nothing is.'),
  test: resultUnion('TestWebhookResult', WebhookTest, testWebhook, 'What the calls came to, or why there were none.'),
  retry: resultUnion(
    'RetryWebhookDeliveryResult',
    WebhookDelivery,
    retryWebhookDelivery,
    'The delivery, which is sent again, or why it is not.',
  ),
};

builder.mutationFields((t) => ({
  createWebhook: t.withAuth(onId(createWebhook, 'server', 'input.serverId')).field({
    type: results.create,
    nullable: true,
    description: guarded(
      createWebhook.permission,
      `Makes a webhook; a server may have ${MAX_WEBHOOKS}. It is called with a made-up event of each type first, and is not saved unless it answers 2xx to all.`,
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: CreateWebhookInput, description: 'The new webhook.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, createWebhook.permission, 'server', serverId);
      return createWebhook(context.deps, caller, {
        serverId,
        url: input.url,
        events: input.events,
        streams: input.streams ?? [],
        headers: input.headers ?? [],
        basicAuth: input.basicAuth ?? null,
        ed25519: input.ed25519 ?? false,
        skipVerification: input.skipVerification ?? false,
      });
    },
  }),
  updateWebhook: t.withAuth(onId(updateWebhook, 'webhook', 'input.id')).field({
    type: results.update,
    nullable: true,
    description: guarded(
      updateWebhook.permission,
      'Changes a webhook, turns it off, or on. What has changed is tried first, as at its making.',
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: UpdateWebhookInput, description: 'The changes.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhook', input.id);
      const caller = await callerAt(context, updateWebhook.permission, 'webhook', id);
      return updateWebhook(context.deps, caller, {
        id,
        url: input.url,
        events: input.events,
        streams: input.streams,
        headers: input.headers,
        basicAuth: input.basicAuth,
        enabled: input.enabled,
        skipMissed: input.skipMissed ?? false,
        skipVerification: input.skipVerification ?? false,
      });
    },
  }),
  rotateWebhookSecret: t.withAuth(onId(rotateWebhookSecret, 'webhook', 'input.id')).field({
    type: results.rotate,
    nullable: true,
    description: guarded(
      rotateWebhookSecret.permission,
      `Gives a webhook a new secret. Both sign for overlapSeconds, at most ${MAX_ROTATION_HOURS / 24} days; one that was still being replaced ends at once. People prove who they are first.`,
    ),
    args: { input: t.arg({ type: RotateTokenInput, description: 'The webhook.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhook', input.id);
      const caller = await callerAt(context, rotateWebhookSecret.permission, 'webhook', id);
      return rotateWebhookSecret(context.deps, caller, { id, overlapSeconds: input.overlapSeconds ?? null });
    },
  }),
  deleteWebhook: t.withAuth(onId(deleteWebhook, 'webhook', 'input.id')).field({
    type: results.delete,
    nullable: true,
    description: guarded(deleteWebhook.permission, 'Deletes a webhook. What waits for it is not sent.'),
    args: { input: t.arg({ type: IdInput, description: 'The webhook.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhook', input.id);
      const webhook = await deleteWebhook(
        context.deps,
        await callerAt(context, deleteWebhook.permission, 'webhook', id),
        { id },
      );
      return { id: encodeId('webhook', webhook.id) };
    },
  }),
  replayWebhook: t.withAuth(onId(replayWebhook, 'webhook', 'input.id')).field({
    type: results.replay,
    nullable: true,
    description: guarded(
      replayWebhook.permission,
      `Sends every event of the range again, with the ids they had; at most ${MAX_REPLAY} events, and ${MAX_REPLAYS} replays of a webhook at a time. New events go first.`,
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: ReplayWebhookInput, description: 'The range.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhook', input.id);
      const caller = await callerAt(context, replayWebhook.permission, 'webhook', id);
      return replayWebhook(context.deps, caller, { id, since: input.since, until: input.until });
    },
  }),
  testWebhook: t.withAuth(onId(testWebhook, 'webhook', 'input.id')).field({
    type: results.test,
    nullable: true,
    description: guarded(
      testWebhook.permission,
      'Calls a webhook now with made-up events. One that is not verified is, when all of its events pass, and then gets what has happened since it was made.',
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: TestWebhookInput, description: 'The test.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhook', input.id);
      const caller = await callerAt(context, testWebhook.permission, 'webhook', id);
      return testWebhook(context.deps, caller, { id, events: input.events ?? null });
    },
  }),
  retryWebhookDelivery: t.withAuth(onId(retryWebhookDelivery, 'webhookDelivery', 'input.id')).field({
    type: results.retry,
    nullable: true,
    description: guarded(
      retryWebhookDelivery.permission,
      `Sends a delivery that failed or waits at once, with another ${RETRY_HOURS} hours of tries.`,
    ),
    args: { input: t.arg({ type: IdInput, description: 'The delivery.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('webhookDelivery', input.id);
      const caller = await callerAt(context, retryWebhookDelivery.permission, 'webhookDelivery', id);
      return retryWebhookDelivery(context.deps, caller, { id });
    },
  }),
}));
