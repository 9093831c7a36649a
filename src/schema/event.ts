// Events of messages: what all of them have. Each kind stands in event-types.ts.
import { encodeId } from '#/domain/ids.ts';
import { type EventType, cursorOf, type LoggedEvent, NO_MESSAGE } from '#/resolvers/events/message-events.ts';
import { builder, guarded } from './builder.ts';
import { onItsServer } from './guards.ts';
import { loadersOf } from './loaders.ts';
import { Message } from './message.ts';

export const MessageEventType = builder.enumType('MessageEventType', {
  description: 'What happened.',
  values: {
    ACCEPTED: { description: 'The email was accepted; once for each recipient.' },
    SUPPRESSED: { description: 'The recipient is suppressed: nothing is sent to it.' },
    DELAYED: { description: 'Delivery failed for now and is tried again.' },
    DELIVERED: { description: 'The server of the recipient has taken the email.' },
    BOUNCED: { description: 'The email was refused for good, or came back.' },
    IN_DOUBT: { description: 'The connection was lost before the final answer: it may or may not have arrived.' },
    SPAM_COMPLAINT: { description: 'The recipient called the email spam.' },
    OPENED: { description: 'The email was opened.' },
    CLICKED: { description: 'A link of the email was clicked.' },
    SUBSCRIPTION_CHANGED: { description: 'The recipient was suppressed on the stream, or is no longer.' },
    EXPIRED: { description: 'The email could not be delivered in time.' },
    CANCELLED: { description: 'The email was cancelled before it was handed over.' },
  } as const,
});

export const eventTypeNames = {
  ACCEPTED: 'AcceptedEvent',
  SUPPRESSED: 'SuppressedEvent',
  DELAYED: 'DelayedEvent',
  DELIVERED: 'DeliveredEvent',
  BOUNCED: 'BouncedEvent',
  IN_DOUBT: 'InDoubtEvent',
  SPAM_COMPLAINT: 'SpamComplaintEvent',
  OPENED: 'OpenedEvent',
  CLICKED: 'ClickedEvent',
  SUBSCRIPTION_CHANGED: 'SubscriptionChangedEvent',
  EXPIRED: 'ExpiredEvent',
  CANCELLED: 'CancelledEvent',
} as const satisfies Record<EventType, string>;

export const MessageEvent = builder.interfaceRef<LoggedEvent>('MessageEvent');
MessageEvent.implement({
  description: guarded('event.read', 'Something that happened to a message.'),
  // On the type, so that it is asked for each event of a subscription too.
  authScopes: onItsServer('event.read'),
  resolveType: ({ type }) => eventTypeNames[type],
  fields: (t) => ({
    id: t.id({
      description: 'Global id, evt_…; the same wherever the event is told.',
      resolve: ({ id }) => encodeId('event', id),
    }),
    cursor: t.string({
      description: 'Continue after this event with `after:`, in a query or a subscription alike.',
      resolve: cursorOf,
    }),
    type: t.field({ type: MessageEventType, description: 'What happened.', resolve: ({ type }) => type }),
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When.' }),
    messageId: t.id({
      description: `The message that it happened to; ${encodeId('message', NO_MESSAGE)} where none caused it, such as an address that was suppressed by hand.`,
      resolve: ({ messageId }) => encodeId('message', messageId),
    }),
    message: t.withAuth(onItsServer('message.read')).field({
      type: Message,
      nullable: true,
      description: guarded('message.read', 'The message that it happened to. Null once removed by retention.'),
      resolve: (event, _args, context) => loadersOf(context, event).message.load(event.messageId),
    }),
    recipient: t.exposeString('recipient', { nullable: true, description: 'The address that it is about.' }),
    stream: t.string({
      description: 'Slug of the stream.',
      resolve: async (event, _args, context) => {
        const stream = await loadersOf(context, event).stream.load(event.streamId);
        if (stream === null) throw new Error('an event without a stream');
        return stream.slug;
      },
    }),
    tag: t.exposeString('tag', { nullable: true, description: 'Of the message.' }),
    metadata: t.field({
      type: 'JSON',
      description: 'Of the message; {} without any.',
      resolve: ({ metadata }) => metadata ?? {},
    }),
  }),
});

export const MessageEventConnection = builder.connectionObject(
  { type: MessageEvent, name: 'MessageEventConnection', description: 'A page of events.' },
  { name: 'MessageEventEdge', description: 'An event in its list.' },
);

export const MessageEventFilter = builder.inputType('MessageEventFilter', {
  description: 'What an event must have. All that is given must match.',
  fields: (t) => ({
    types: t.field({ type: [MessageEventType], required: false, description: 'One of these.' }),
    streams: t.stringList({ required: false, description: 'On one of these streams; slugs.' }),
    tag: t.string({ required: false, description: 'Of a message with this tag.' }),
    recipient: t.string({ required: false, description: 'About this address; case does not matter.' }),
    messageId: t.id({ required: false, description: 'Of this message.' }),
  }),
});
