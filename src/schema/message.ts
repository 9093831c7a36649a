// Messages as they are read.
import type { MessageRow } from '#/db/messages.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { cursorOf, positionIn } from '#/resolvers/events/message-events.ts';
import { getMessage } from '#/resolvers/messages/get-message.ts';
import {
  type AttachmentInfo as StoredAttachmentInfo,
  attachmentsOf,
  composeSource,
} from '#/resolvers/messages/message-content.ts';
import { builder, guarded } from './builder.ts';
import { MessageEventConnection } from './event.ts';
import { uuidOf } from './ids.ts';
import { onId, onItsServer } from './guards.ts';
import { loadersOf } from './loaders.ts';
import { callerAt } from './locate.ts';
import { afterText, checkFirst, connectionOf, firstText, MAX_EVENT_PAGE } from './paging.ts';
import { DeliveryStatus, Recipient } from './recipient.ts';
import { MessageStream } from './stream.ts';

export const AttachmentInfo = builder.objectRef<StoredAttachmentInfo>('AttachmentInfo').implement({
  description: 'An attachment, without its content.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'File name.' }),
    contentType: t.exposeString('contentType', { description: 'Media type.' }),
    size: t.exposeInt('size', { description: 'Octets, before transfer encoding.' }),
  }),
});

const removed = 'Null once removed.';

export const Message = builder.objectRef<MessageRow>('Message');
Message.implement({
  description: 'An email that was accepted.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, msg_….', resolve: ({ id }) => encodeId('message', id) }),
    stream: t.field({
      type: MessageStream,
      description: 'The stream that it is sent on.',
      resolve: async (message, _args, context) => {
        const stream = await loadersOf(context, message).stream.load(message.streamId);
        if (stream === null) throw new Error('a message without a stream');
        return stream;
      },
    }),
    from: t.exposeString('fromAddress', { description: 'The From address.' }),
    subject: t.exposeString('subject', { description: 'The subject.' }),
    tag: t.exposeString('tag', { nullable: true, description: 'As it was given.' }),
    metadata: t.field({
      type: 'JSON',
      description: 'As it was given; {} unless given.',
      resolve: ({ metadata }) => metadata ?? {},
    }),
    acceptedAt: t.expose('acceptedAt', { type: 'DateTime', description: 'When it was accepted.' }),
    sendAt: t.expose('sendAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Not delivered before; null: at once.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When content and events of this message are removed.',
    }),
    sandboxed: t.exposeBoolean('sandboxed', { description: 'It is never delivered: its server is a sandbox.' }),
    recipients: t.field({
      type: [Recipient],
      description: 'Each address, in the order of to, cc and bcc.',
      extensions: { cost: 2 },
      resolve: (message, _args, context) => loadersOf(context, message).recipients.load(message.id),
    }),
    htmlBody: t.withAuth(onItsServer('content.read')).string({
      nullable: true,
      description: guarded('content.read', `The HTML body as it was given. ${removed}`),
      extensions: { cost: 5 },
      resolve: async (message, _args, context) => {
        const content = await loadersOf(context, message).content.load(message.id);
        return content === null ? null : (await content.bodies()).html;
      },
    }),
    textBody: t.withAuth(onItsServer('content.read')).string({
      nullable: true,
      description: guarded('content.read', `The text body as it was given. ${removed}`),
      extensions: { cost: 5 },
      resolve: async (message, _args, context) => {
        const content = await loadersOf(context, message).content.load(message.id);
        return content === null ? null : (await content.bodies()).text;
      },
    }),
    attachments: t.field({
      type: [AttachmentInfo],
      description: 'What is attached.',
      resolve: (message) => [...attachmentsOf(message)],
    }),
    source: t.withAuth(onItsServer('content.read')).string({
      nullable: true,
      description: guarded('content.read', `The RFC 5322 source as delivered. ${removed}`),
      extensions: { cost: 10 },
      resolve: async (message, _args, context) => {
        const content = await loadersOf(context, message).content.load(message.id);
        return content === null ? null : composeSource(message, content);
      },
    }),
    events: t.withAuth(onItsServer('event.read')).field({
      type: MessageEventConnection,
      description: guarded('event.read', 'What happened to it, oldest first.'),
      extensions: { cost: 2 },
      args: {
        first: t.arg.int({ description: firstText(MAX_EVENT_PAGE) }),
        after: t.arg.string({ required: false, description: afterText }),
      },
      resolve: async (message, args, context) => {
        const first = checkFirst(args.first, MAX_EVENT_PAGE);
        const after = args.after ?? null;
        const key = { messageId: message.id, after: positionIn(message, after), limit: first + 1 };
        const events = await loadersOf(context, message).events.load(key);
        return connectionOf(events.slice(0, first), { hasMore: events.length > first, after }, cursorOf);
      },
    }),
  }),
});

export const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection', description: 'A page of messages.' },
  { name: 'MessageEdge', description: 'A message in its list.' },
);

export const MessageFilter = builder.inputType('MessageFilter', {
  description: 'What a message must have. All that is given must match.',
  fields: (t) => ({
    stream: t.string({ required: false, description: 'Slug of its stream.' }),
    recipient: t.string({ required: false, description: 'Address of a recipient; case does not matter.' }),
    from: t.string({ required: false, description: 'Its From address; case does not matter.' }),
    subject: t.string({ required: false, description: 'Words of its subject, all of them, in any order and case.' }),
    tag: t.string({ required: false, description: 'Its tag.' }),
    metadata: t.field({ type: 'JSON', required: false, description: 'Every pair must match.' }),
    status: t.field({
      type: DeliveryStatus,
      required: false,
      description: 'Of a recipient; together with `recipient`, of that one.',
    }),
    since: t.field({ type: 'DateTime', required: false, description: 'Accepted then or later.' }),
    until: t.field({ type: 'DateTime', required: false, description: 'Accepted before.' }),
  }),
});

builder.queryField('message', (t) =>
  t.withAuth(onId(getMessage, 'message', 'id')).field({
    type: Message,
    nullable: true,
    description: guarded(getMessage.permission, 'A message by its id; null once removed.'),
    args: { id: t.arg.id({ description: 'Of the message.' }) },
    resolve: async (_root, args, context) => {
      const id = uuidOf('message', args.id);
      try {
        return await getMessage(context.deps, await callerAt(context, getMessage.permission, 'message', id), { id });
      } catch (error) {
        if (error instanceof NotFound) return null;
        throw error;
      }
    },
  }),
);
