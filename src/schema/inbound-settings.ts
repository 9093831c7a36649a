// How a server takes inbound mail, and what is done to that and to what came in.
import type { InboundRuleRow, InboundSettingsRow } from '#/db/inbound-settings.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_INBOUND_RULES, MAX_URL, SPAM_THRESHOLD } from '#/domain/inbound.ts';
import { MAX_ROTATION_HOURS, ROTATION_HOURS } from '#/domain/webhooks/rules.ts';
import { addInboundRule } from '#/resolvers/inbound/add-inbound-rule.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { removeInboundRule } from '#/resolvers/inbound/remove-inbound-rule.ts';
import { retryInboundMessage } from '#/resolvers/inbound/retry-inbound-message.ts';
import { type IssuedInboundSecret as Issued, rotateInboundSecret } from '#/resolvers/inbound/rotate-inbound-secret.ts';
import { updateInbound } from '#/resolvers/inbound/update-inbound.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { onId, onServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { InboundMessage } from './inbound.ts';
import { Deleted, IdInput } from './inputs.ts';
import { loadersOf } from './loaders.ts';
import { callerAt } from './locate.ts';
import { Server } from './server.ts';

const InboundRule = builder.objectRef<InboundRuleRow>('InboundRule').implement({
  description: 'A sender whose mail is blocked.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, rul_….', resolve: ({ id }) => encodeId('inboundRule', id) }),
    pattern: t.exposeString('pattern', { description: 'An address; or a domain, with all below it.' }),
  }),
});

const domainText =
  'A domain whose mail comes here, or *.domain for all below it. Its MX record names the mail host of the installation.';
const urlText = 'Where messages are posted to, each by itself and signed (docs/inbound.md).';
const thresholdText = 'Mail with this spam score or more is blocked.';

const InboundSettings = builder.objectRef<InboundSettingsRow>('InboundSettings').implement({
  description: 'How a server takes inbound mail.',
  fields: (t) => ({
    address: t.string({
      description: 'Mail to it comes to the server, also with a plus and anything before the @.',
      resolve: ({ serverId }, _args, context) => inboundAddress(context.deps, serverId),
    }),
    domain: t.exposeString('domain', { nullable: true, description: `${domainText} Null: none.` }),
    url: t.exposeString('url', { nullable: true, description: `${urlText} Null: nowhere; they are there to be read.` }),
    spamThreshold: t.exposeFloat('spamThreshold', { nullable: true, description: `${thresholdText} Null: none is.` }),
    rules: t.field({
      type: [InboundRule],
      description: `Senders whose mail is blocked, at most ${MAX_INBOUND_RULES}, oldest first.`,
      extensions: { cost: 5 },
      resolve: async (settings, _args, context) => [
        ...(await loadersOf(context, settings).rulesOfServer.load(settings.serverId)),
      ],
    }),
  }),
});

builder.objectField(Server, 'inbound', (t) =>
  t.withAuth(onServer('inboundSettings.read')).field({
    type: InboundSettings,
    description: guarded('inboundSettings.read', 'How the server takes inbound mail.'),
    resolve: async (server, _args, context) => {
      const settings = await loadersOf(context, server).inboundSettings.load(server.id);
      if (settings === null) throw new Error('a server without inbound settings');
      return settings;
    },
  }),
);

const UpdateInboundInput = builder.inputType('UpdateInboundInput', {
  description: 'Changes to how a server takes inbound mail. What is left out stays as it is, null clears.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server.' }),
    domain: t.string({
      required: false,
      description: `${domainText} One server of all has it; not one that another account has verified.`,
    }),
    url: t.string({
      required: false,
      description: `${urlText} https, port 443, 80 or 8000 to 8999, leading to public addresses; credentials in it go as Basic authentication; at most ${MAX_URL} characters.`,
    }),
    spamThreshold: t.float({
      required: false,
      description: `${thresholdText} ${SPAM_THRESHOLD.min} to ${SPAM_THRESHOLD.max}.`,
    }),
  }),
});

const RotateInboundSecretInput = builder.inputType('RotateInboundSecretInput', {
  description: 'A new secret for the webhook of inbound mail.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server.' }),
    overlapSeconds: t.int({
      required: false,
      description: `How long the secret before signs too; ${ROTATION_HOURS} hours unless given, at most ${MAX_ROTATION_HOURS / 24} days.`,
    }),
  }),
});

const IssuedInboundSecret = builder.objectRef<Issued>('IssuedInboundSecret').implement({
  description: 'The secret with which calls for inbound mail are signed.',
  fields: (t) => ({
    server: t.field({ type: Server, description: 'The server.', resolve: ({ server }) => server }),
    secret: t.exposeString('secret', { description: 'Standard Webhooks secret (whsec_…), shown this once.' }),
  }),
});

const AddInboundRuleInput = builder.inputType('AddInboundRuleInput', {
  description: 'A sender to block.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server that takes no mail of them.' }),
    pattern: t.string({ description: 'An address; or a domain, with all below it.' }),
  }),
});

const UpdateInboundResult = resultUnion(
  'UpdateInboundResult',
  Server,
  updateInbound,
  'The server, or why nothing changed.',
);
const RotateInboundSecretResult = resultUnion(
  'RotateInboundSecretResult',
  IssuedInboundSecret,
  rotateInboundSecret,
  'The new secret, or why there is none.',
);
const AddInboundRuleResult = resultUnion(
  'AddInboundRuleResult',
  InboundRule,
  addInboundRule,
  'The rule, or why there is none.',
);
const RemoveInboundRuleResult = resultUnion(
  'RemoveInboundRuleResult',
  Deleted,
  removeInboundRule,
  'The id that the rule had, or why it stays.',
);
const RetryInboundMessageResult = resultUnion(
  'RetryInboundMessageResult',
  InboundMessage,
  retryInboundMessage,
  'The message, or why it is not taken up again.',
);

builder.mutationFields((t) => ({
  updateInbound: t.withAuth(onId(updateInbound, 'server', 'input.serverId')).field({
    type: UpdateInboundResult,
    nullable: true,
    description: guarded(updateInbound.permission, 'Changes how a server takes inbound mail.'),
    args: { input: t.arg({ type: UpdateInboundInput, description: 'The changes.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, updateInbound.permission, 'server', serverId);
      return updateInbound(context.deps, caller, { ...input, serverId });
    },
  }),
  rotateInboundSecret: t.withAuth(onId(rotateInboundSecret, 'server', 'input.serverId')).field({
    type: RotateInboundSecretResult,
    nullable: true,
    description: guarded(
      rotateInboundSecret.permission,
      'Gives the webhook of inbound mail a new secret. Both sign for overlapSeconds. People prove who they are first.',
    ),
    args: { input: t.arg({ type: RotateInboundSecretInput, description: 'The server.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, rotateInboundSecret.permission, 'server', serverId);
      const overlapSeconds = input.overlapSeconds ?? null;
      return rotateInboundSecret(context.deps, caller, { serverId, overlapSeconds });
    },
  }),
  addInboundRule: t.withAuth(onId(addInboundRule, 'server', 'input.serverId')).field({
    type: AddInboundRuleResult,
    nullable: true,
    description: guarded(
      addInboundRule.permission,
      `Blocks inbound mail of a sender; a server may have ${MAX_INBOUND_RULES} rules.`,
    ),
    args: { input: t.arg({ type: AddInboundRuleInput, description: 'The sender.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, addInboundRule.permission, 'server', serverId);
      return addInboundRule(context.deps, caller, { serverId, pattern: input.pattern });
    },
  }),
  removeInboundRule: t.withAuth(onId(removeInboundRule, 'inboundRule', 'input.id')).field({
    type: RemoveInboundRuleResult,
    nullable: true,
    description: guarded(removeInboundRule.permission, 'Takes inbound mail of a sender again.'),
    args: { input: t.arg({ type: IdInput, description: 'The rule.' }) },
    resolve: async (_root, { input }, context) => {
      const uuid = uuidOf('inboundRule', input.id);
      const caller = await callerAt(context, removeInboundRule.permission, 'inboundRule', uuid);
      const { id } = await removeInboundRule(context.deps, caller, { id: uuid });
      return { id: encodeId('inboundRule', id) };
    },
  }),
  retryInboundMessage: t.withAuth(onId(retryInboundMessage, 'inboundMessage', 'input.id')).field({
    type: RetryInboundMessageResult,
    nullable: true,
    description: guarded(
      retryInboundMessage.permission,
      'Takes up again an inbound message that failed, or that was blocked.',
    ),
    args: { input: t.arg({ type: IdInput, description: 'The message.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('inboundMessage', input.id);
      const caller = await callerAt(context, retryInboundMessage.permission, 'inboundMessage', id);
      return retryInboundMessage(context.deps, caller, { id });
    },
  }),
}));
