// Suppressions as they are read and changed, and why mail to an address is or is not arriving.
import type { SuppressionRow } from '#/db/suppressions.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_ADDRESSES_AT_ONCE, MAX_SUPPRESSION_NOTE } from '#/domain/suppression.ts';
import {
  explainRecipient,
  MAX_RECENT_ATTEMPTS,
  type RecipientExplanation as Explanation,
} from '#/resolvers/suppressions/explain-recipient.ts';
import { listSuppressions } from '#/resolvers/suppressions/list-suppressions.ts';
import {
  type SuppressedAddresses as Suppressed,
  suppressAddresses,
} from '#/resolvers/suppressions/suppress-addresses.ts';
import {
  type UnsuppressedAddresses as Unsuppressed,
  unsuppressAddresses,
} from '#/resolvers/suppressions/unsuppress-addresses.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { InputIssue, resultUnion, SuppressedRecipientType } from './errors.ts';
import { onId, onItsServer, onServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { callerAt } from './locate.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { DeliveryAttempt } from './recipient.ts';
import { Server } from './server.ts';
import { MessageStream } from './stream.ts';
import { SuppressionOrigin, SuppressionReason } from './suppression.ts';

export const Suppression = builder.objectRef<SuppressionRow>('Suppression').implement({
  description: 'An address that gets no mail of a stream. Kept for ever, whatever the retention.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, sup_….', resolve: ({ id }) => encodeId('suppression', id) }),
    address: t.string({
      description: 'The address; empty once it was forgotten on its owner’s demand, while the suppression stays.',
      resolve: ({ address }) => address ?? '',
    }),
    reason: t.field({ type: SuppressionReason, description: 'Why.', resolve: ({ reason }) => reason }),
    origin: t.field({ type: SuppressionOrigin, description: 'Who said so.', resolve: ({ origin }) => origin }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Since when.' }),
    note: t.exposeString('note', { nullable: true, description: 'What the customer wrote beside it.' }),
  }),
});

const SuppressionConnection = builder.connectionObject(
  { type: Suppression, name: 'SuppressionConnection', description: 'A page of suppressions.' },
  { name: 'SuppressionEdge', description: 'A suppression in its list.' },
);

const SuppressionFilter = builder.inputType('SuppressionFilter', {
  description: 'What a suppression must have. All that is given must match.',
  fields: (t) => ({
    address: t.string({ required: false, description: 'The address; case does not matter.' }),
    reason: t.field({ type: SuppressionReason, required: false, description: 'Why it is.' }),
    origin: t.field({ type: SuppressionOrigin, required: false, description: 'Who said so.' }),
    since: t.field({ type: 'DateTime', required: false, description: 'Made then or later.' }),
    until: t.field({ type: 'DateTime', required: false, description: 'Made before.' }),
  }),
});

builder.objectField(MessageStream, 'suppressions', (t) =>
  t.withAuth(onItsServer(listSuppressions.permission)).field({
    type: SuppressionConnection,
    description: guarded(listSuppressions.permission, 'Addresses that get no mail of the stream, newest first.'),
    extensions: { cost: 5 },
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
      filter: t.arg({
        type: SuppressionFilter,
        required: false,
        description: 'Only those that pass; all unless given.',
      }),
    },
    resolve: async ({ id, accountId }, args, context) => {
      const { deps, caller } = within(context, accountId);
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const page = await listSuppressions(deps, caller, { streamId: id, first, after, filter: args.filter ?? {} });
      return connectionOf(page.suppressions, { hasMore: page.hasMore, after }, (row) =>
        encodeId('suppression', row.id),
      );
    },
  }),
);

const RecipientExplanation = builder.objectRef<Explanation>('RecipientExplanation').implement({
  description: 'Why mail to an address is, or is not, arriving.',
  fields: (t) => ({
    address: t.exposeString('address', { description: 'The address.' }),
    deliverable: t.exposeBoolean('deliverable', { description: 'No stream of the server has it suppressed.' }),
    summary: t.exposeString('summary', { description: 'One sentence for a person.' }),
    suppressions: t.field({
      type: [Suppression],
      description: 'On streams of the server.',
      resolve: ({ suppressions }) => [...suppressions],
    }),
    recentAttempts: t.field({
      type: [DeliveryAttempt],
      description: `To deliver the last messages to it, newest first, at most ${MAX_RECENT_ATTEMPTS}.`,
      resolve: ({ recentAttempts }) => [...recentAttempts],
    }),
  }),
});

builder.objectField(Server, 'explainRecipient', (t) =>
  t.withAuth(onServer(explainRecipient.permission)).field({
    type: RecipientExplanation,
    description: guarded(
      explainRecipient.permission,
      'Why mail to this address is, or is not, arriving: suppressions, and what became of the last messages.',
    ),
    extensions: { cost: 10 },
    args: { address: t.arg.string({ description: 'The address; case does not matter.' }) },
    resolve: ({ id, accountId }, { address }, context) => {
      const { deps, caller } = within(context, accountId);
      return explainRecipient(deps, caller, { serverId: id, address });
    },
  }),
);

const addressesText = `1 to ${MAX_ADDRESSES_AT_ONCE} addresses; one that is named twice counts once.`;

const SuppressAddressesInput = builder.inputType('SuppressAddressesInput', {
  description: 'Addresses to suppress.',
  fields: (t) => ({
    streamId: t.id({ description: 'The stream that they get no mail of.' }),
    addresses: t.stringList({ description: addressesText }),
    note: t.string({
      required: false,
      description: `For people; one line of at most ${MAX_SUPPRESSION_NOTE} characters.`,
    }),
  }),
});

const SuppressedAddresses = builder.objectRef<Suppressed>('SuppressedAddresses').implement({
  description: 'What became of addresses to suppress.',
  fields: (t) => ({
    suppressions: t.field({
      type: [Suppression],
      description: 'In the order of the input, those too that were there before, which stay as they were.',
      resolve: ({ suppressions }) => [...suppressions],
    }),
    rejected: t.field({
      type: [InputIssue],
      description: 'What is no address.',
      resolve: ({ rejected }) => [...rejected],
    }),
  }),
});

const UnsuppressAddressesInput = builder.inputType('UnsuppressAddressesInput', {
  description: 'Addresses that may get mail again.',
  fields: (t) => ({
    streamId: t.id({ description: 'The stream that they may get mail of.' }),
    addresses: t.stringList({ description: addressesText }),
  }),
});

const UnsuppressedAddresses = builder.objectRef<Unsuppressed>('UnsuppressedAddresses').implement({
  description: 'What became of addresses to write to again.',
  fields: (t) => ({
    addresses: t.stringList({
      description: 'Those that are not suppressed now, also where they were not before.',
      resolve: ({ addresses }) => [...addresses],
    }),
    refused: t.field({
      type: [SuppressedRecipientType],
      description:
        'Those that stay: a spam complaint cannot be lifted by the customer, nor what the operator has said.',
      resolve: ({ refused }) => [...refused],
    }),
  }),
});

const SuppressAddressesResult = resultUnion(
  'SuppressAddressesResult',
  SuppressedAddresses,
  suppressAddresses,
  'The suppressions, or why there are none.',
);
const UnsuppressAddressesResult = resultUnion(
  'UnsuppressAddressesResult',
  UnsuppressedAddresses,
  unsuppressAddresses,
  'The addresses that are free now, or why none is.',
);

builder.mutationFields((t) => ({
  suppressAddresses: t.withAuth(onId(suppressAddresses, 'stream', 'input.streamId')).field({
    type: SuppressAddressesResult,
    nullable: true,
    description: guarded(suppressAddresses.permission, 'Sends nothing to these addresses on a stream any more.'),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: SuppressAddressesInput, description: 'The addresses.' }) },
    resolve: async (_root, { input }, context) => {
      const streamId = uuidOf('stream', input.streamId);
      const caller = await callerAt(context, suppressAddresses.permission, 'stream', streamId);
      const { addresses, note } = input;
      return suppressAddresses(context.deps, caller, { streamId, addresses, note: note ?? null });
    },
  }),
  unsuppressAddresses: t.withAuth(onId(unsuppressAddresses, 'stream', 'input.streamId')).field({
    type: UnsuppressAddressesResult,
    nullable: true,
    description: guarded(unsuppressAddresses.permission, 'Lets these addresses get mail of a stream again.'),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: UnsuppressAddressesInput, description: 'The addresses.' }) },
    resolve: async (_root, { input }, context) => {
      const streamId = uuidOf('stream', input.streamId);
      const caller = await callerAt(context, unsuppressAddresses.permission, 'stream', streamId);
      return unsuppressAddresses(context.deps, caller, { streamId, addresses: input.addresses });
    },
  }),
}));
