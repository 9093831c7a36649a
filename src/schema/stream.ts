// Message streams and what is done to them.
import type { StreamRow } from '#/db/servers.ts';
import { MAX_STREAM } from '#/domain/email/limits.ts';
import { LIFETIME_LIMITS, lifetimeMinutes } from '#/domain/delivery/lifetime.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_STREAM_DESCRIPTION, MAX_STREAM_NAME, MAX_STREAMS, PURGE_DAYS } from '#/domain/streams.ts';
import { archiveStream } from '#/resolvers/streams/archive-stream.ts';
import { createStream } from '#/resolvers/streams/create-stream.ts';
import { updateStream } from '#/resolvers/streams/update-stream.ts';
import { unarchiveStream } from '#/resolvers/streams/unarchive-stream.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';

export const StreamKind = builder.enumType('StreamKind', {
  description: 'What a stream carries.',
  values: {
    TRANSACTIONAL: { description: 'Mail that a person caused and waits for.' },
    BROADCAST: { description: 'The same mail for many. Goes after transactional mail.' },
    INBOUND: { description: 'Mail that comes in.' },
  } as const,
});

const InDoubtPolicy = builder.enumType('InDoubtPolicy', {
  description:
    'What is done with mail of which nobody knows whether it arrived: the connection was lost after its content was sent.',
  values: {
    RETRY: {
      description:
        'It is tried again, with the same Message-ID: it arrives at least once, and rarely twice. After three such attempts it is left IN_DOUBT.',
    },
    NEVER_TWICE: { description: 'It is left IN_DOUBT: it arrives at most once. For one-time codes and the like.' },
  } as const,
});

const TlsPolicy = builder.enumType('TlsPolicy', {
  description:
    'What the connection to a receiver must be for mail of a stream. What a receiver’s domain publishes (an MTA-STS policy, DANE) holds besides.',
  values: {
    OPPORTUNISTIC: {
      description:
        'Encrypted where the receiver can, whatever its certificate is worth; in plain text where it cannot. A policy that the receiver publishes is kept: then mail waits rather than going without.',
    },
    REQUIRE_TLS: {
      description:
        'Encrypted to a receiver whose certificate verifies for the name of its mail exchanger, or by DANE; never otherwise. Until then the mail is deferred, with the reason on each attempt, and at the end of its lifetime it is EXPIRED. Holds for the connection that this installation makes, not for what the receiver does next; that the name is the right one only DANE and MTA-STS can tell. A relay must fulfil it too.',
    },
    PREFER_DELIVERY: {
      description:
        'As OPPORTUNISTIC, but policies of receivers are not kept either (as TLS-Required: No of RFC 8689 asks): for mail about broken TLS.',
    },
  } as const,
});

const lifetimeText = `Minutes for which delivery is tried, from ${LIFETIME_LIMITS.least} to ${LIFETIME_LIMITS.most}; null: two days for TRANSACTIONAL, five for BROADCAST. An email's own expiresAt ends it sooner.`;

export const MessageStream = builder.objectRef<StreamRow>('MessageStream').implement({
  description: 'A stream of a server: mail of one kind, with suppressions of its own.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, str_….', resolve: ({ id }) => encodeId('stream', id) }),
    slug: t.exposeString('slug', { description: 'The name that sends use. Never changes.' }),
    name: t.exposeString('name', { description: 'For people.' }),
    kind: t.field({ type: StreamKind, description: 'What it carries. Never changes.', resolve: ({ kind }) => kind }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    inDoubt: t.field({
      type: InDoubtPolicy,
      description: 'What is done with mail of which nobody knows whether it arrived.',
      resolve: ({ inDoubtPolicy }) => inDoubtPolicy,
    }),
    lifetimeMinutes: t.int({
      nullable: true,
      description: 'Minutes for which delivery is tried; null for a stream that does not send.',
      resolve: ({ kind, lifetimeMinutes: own }) => lifetimeMinutes(kind, own),
    }),
    tlsPolicy: t.field({
      type: TlsPolicy,
      description: 'What the connection to a receiver must be.',
      resolve: ({ tlsPolicy }) => tlsPolicy,
    }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when nothing can be sent on it; null while it is in use.',
    }),
    purgeAt: t.expose('purgeAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When an archived stream is removed for good; until then it can be brought back.',
    }),
  }),
});

const descriptionText = `What it is for; at most ${MAX_STREAM_DESCRIPTION} characters of plain text.`;

const CreateStreamInput = builder.inputType('CreateStreamInput', {
  description: 'A new stream.',
  fields: (t) => ({
    serverId: t.id({ description: 'The server that gets it.' }),
    slug: t.string({
      description: `A lower-case letter, then up to ${MAX_STREAM - 1} lower-case letters, digits, - or _. Not beginning with pm-; unique on the server; never changes.`,
    }),
    name: t.string({ description: `For people; 1 to ${MAX_STREAM_NAME} characters.` }),
    kind: t.field({ type: StreamKind, description: 'What it carries. A server has one inbound stream.' }),
    description: t.string({
      required: false,
      description: descriptionText,
    }),
    inDoubt: t.field({
      type: InDoubtPolicy,
      required: false,
      description: 'What is done with mail of which nobody knows whether it arrived; RETRY unless given.',
    }),
    lifetimeMinutes: t.int({ required: false, description: lifetimeText }),
    tlsPolicy: t.field({
      type: TlsPolicy,
      required: false,
      description: 'What the connection to a receiver must be; OPPORTUNISTIC unless given.',
    }),
  }),
});

const UpdateStreamInput = builder.inputType('UpdateStreamInput', {
  description: 'Changes to a stream. What is left out stays as it is; null is refused unless said.',
  fields: (t) => ({
    id: t.id({ description: 'The stream.' }),
    name: t.string({ required: false, description: `For people; 1 to ${MAX_STREAM_NAME} characters.` }),
    description: t.string({ required: false, description: `${descriptionText} Null removes it.` }),
    inDoubt: t.field({
      type: InDoubtPolicy,
      required: false,
      description:
        'What is done with mail of which nobody knows whether it arrived. Holds at once, also for mail accepted before.',
    }),
    lifetimeMinutes: t.int({ required: false, description: `${lifetimeText} For mail accepted from now on.` }),
    tlsPolicy: t.field({
      type: TlsPolicy,
      required: false,
      description: 'What the connection to a receiver must be. Holds within seconds, also for mail accepted before.',
    }),
  }),
});

const CreateStreamResult = resultUnion(
  'CreateStreamResult',
  MessageStream,
  createStream,
  'The stream, or why there is none.',
);
const UpdateStreamResult = resultUnion(
  'UpdateStreamResult',
  MessageStream,
  updateStream,
  'The changed stream, or why it is not.',
);
const ArchiveStreamResult = resultUnion(
  'ArchiveStreamResult',
  MessageStream,
  archiveStream,
  'The archived stream, or why it is not.',
);
const UnarchiveStreamResult = resultUnion(
  'UnarchiveStreamResult',
  MessageStream,
  unarchiveStream,
  'The stream in use again, or why it is not.',
);

builder.mutationFields((t) => ({
  createStream: t.withAuth(onId(createStream, 'server', 'input.serverId')).field({
    type: CreateStreamResult,
    nullable: true,
    description: guarded(
      createStream.permission,
      `Adds a stream to a server, which may have ${MAX_STREAMS}, archived ones included.`,
    ),
    args: { input: t.arg({ type: CreateStreamInput, description: 'The new stream.' }) },
    resolve: async (_root, { input }, context) => {
      const serverId = uuidOf('server', input.serverId);
      const caller = await callerAt(context, createStream.permission, 'server', serverId);
      return createStream(context.deps, caller, { ...input, serverId, description: input.description ?? null });
    },
  }),
  updateStream: t.withAuth(onId(updateStream, 'stream', 'input.id')).field({
    type: UpdateStreamResult,
    nullable: true,
    description: guarded(updateStream.permission, 'Changes the settings of a stream.'),
    args: { input: t.arg({ type: UpdateStreamInput, description: 'The changes.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('stream', input.id);
      const caller = await callerAt(context, updateStream.permission, 'stream', id);
      return updateStream(context.deps, caller, { ...input, id });
    },
  }),
  archiveStream: t.withAuth(onId(archiveStream, 'stream', 'input.id')).field({
    type: ArchiveStreamResult,
    nullable: true,
    description: guarded(
      archiveStream.permission,
      `Stops sending on a stream. It can be brought back for ${PURGE_DAYS} days. The streams outbound and inbound cannot be archived.`,
    ),
    args: { input: t.arg({ type: IdInput, description: 'The stream.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('stream', input.id);
      return archiveStream(context.deps, await callerAt(context, archiveStream.permission, 'stream', id), { id });
    },
  }),
  unarchiveStream: t.withAuth(onId(unarchiveStream, 'stream', 'input.id')).field({
    type: UnarchiveStreamResult,
    nullable: true,
    description: guarded(unarchiveStream.permission, 'Brings an archived stream back.'),
    args: { input: t.arg({ type: IdInput, description: 'The stream.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('stream', input.id);
      return unarchiveStream(context.deps, await callerAt(context, unarchiveStream.permission, 'stream', id), { id });
    },
  }),
}));
