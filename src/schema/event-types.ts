// The kinds of events, each with what it has besides the fields of all.
import { SuppressionOrigin, SuppressionReason } from './suppression.ts';
import type { EventOf, EventType } from '#/resolvers/events/message-events.ts';
import { Bounce } from './bounce.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { eventTypeNames, MessageEvent } from './event.ts';
import { loadersOf } from './loaders.ts';

const LinkLocation = builder.enumType('LinkLocation', {
  description: 'Which body a link stood in.',
  values: { HTML: { description: 'The HTML body.' }, TEXT: { description: 'The text body.' } } as const,
});

const interfaces = [MessageEvent];

function refOf<T extends EventType>(type: T) {
  return builder.objectRef<EventOf<T>>(eventTypeNames[type]);
}

async function bounceOf(event: EventOf<'BOUNCED' | 'SPAM_COMPLAINT'>, context: Context) {
  const bounce = await loadersOf(context, event).bounce.load(event.data.bounceId);
  if (bounce === null) throw new Error('an event without its bounce');
  return bounce;
}

refOf('ACCEPTED').implement({ description: 'The email was accepted; once for each recipient.', interfaces });

refOf('SUPPRESSED').implement({
  description: 'The recipient is suppressed: nothing is sent to it.',
  interfaces,
  fields: (t) => ({
    reason: t.field({ type: SuppressionReason, description: 'Why it is.', resolve: ({ data }) => data.reason }),
  }),
});

refOf('DELAYED').implement({
  description: 'Delivery failed for now and is tried again.',
  interfaces,
  fields: (t) => ({
    smtpCode: t.int({ nullable: true, description: 'Code of the reply.', resolve: ({ data }) => data.smtpCode }),
    response: t.string({ nullable: true, description: 'What was answered.', resolve: ({ data }) => data.response }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again.',
      resolve: ({ data }) => new Date(data.nextAttemptAt),
    }),
  }),
});

refOf('DELIVERED').implement({
  description: 'The server of the recipient has taken the email.',
  interfaces,
  fields: (t) => ({
    remoteHost: t.string({ nullable: true, description: 'That server.', resolve: ({ data }) => data.remoteHost }),
    response: t.string({ description: 'What it answered.', resolve: ({ data }) => data.response }),
  }),
});

refOf('IN_DOUBT').implement({
  description: 'The connection was lost after the content was sent and before it was answered.',
  interfaces,
  fields: (t) => ({
    remoteHost: t.string({
      nullable: true,
      description: 'The server that was called.',
      resolve: ({ data }) => data.remoteHost,
    }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried again, which may make a second copy; null: never, as its stream is set.',
      resolve: ({ data }) => (typeof data.nextAttemptAt === 'string' ? new Date(data.nextAttemptAt) : null),
    }),
  }),
});

refOf('BOUNCED').implement({
  description: 'The email was refused for good, or came back.',
  interfaces,
  fields: (t) => ({
    bounce: t.field({
      type: Bounce,
      description: 'What came back.',
      resolve: (event, _args, context) => bounceOf(event, context),
    }),
  }),
});

refOf('SPAM_COMPLAINT').implement({
  description: 'The recipient called the email spam.',
  interfaces,
  fields: (t) => ({
    bounce: t.field({
      type: Bounce,
      description: 'The complaint.',
      resolve: (event, _args, context) => bounceOf(event, context),
    }),
  }),
});

const machineText = 'A proxy or scanner, not a person, as far as can be told.';
const clientText = 'Program that was used; null when it cannot be told.';
const osText = 'Operating system that was used; null when it cannot be told.';
const platformText = 'Kind of device that was used; null when it cannot be told.';
const userAgentText = 'As the program called itself.';

refOf('OPENED').implement({
  description: 'The email was opened.',
  interfaces,
  fields: (t) => ({
    first: t.boolean({ description: 'For the first time by this recipient.', resolve: ({ data }) => data.first }),
    machine: t.boolean({ description: machineText, resolve: ({ data }) => data.machine }),
    userAgent: t.string({ nullable: true, description: userAgentText, resolve: ({ data }) => data.userAgent }),
    client: t.string({ nullable: true, description: clientText, resolve: () => null }),
    os: t.string({ nullable: true, description: osText, resolve: () => null }),
    platform: t.string({ nullable: true, description: platformText, resolve: () => null }),
  }),
});

refOf('CLICKED').implement({
  description: 'A link of the email was clicked.',
  interfaces,
  fields: (t) => ({
    first: t.boolean({ description: 'For the first time by this recipient.', resolve: ({ data }) => data.first }),
    machine: t.boolean({ description: machineText, resolve: ({ data }) => data.machine }),
    url: t.string({ description: 'Where the link leads.', resolve: ({ data }) => data.url }),
    location: t.field({
      type: LinkLocation,
      description: 'Where the link stood.',
      resolve: ({ data }) => data.location,
    }),
    userAgent: t.string({ nullable: true, description: userAgentText, resolve: ({ data }) => data.userAgent }),
    client: t.string({ nullable: true, description: clientText, resolve: () => null }),
    os: t.string({ nullable: true, description: osText, resolve: () => null }),
    platform: t.string({ nullable: true, description: platformText, resolve: () => null }),
  }),
});

refOf('SUBSCRIPTION_CHANGED').implement({
  description: 'The recipient was suppressed on the stream, or is no longer.',
  interfaces,
  fields: (t) => ({
    suppressed: t.boolean({ description: 'It is suppressed now.', resolve: ({ data }) => data.suppressed }),
    reason: t.field({
      type: SuppressionReason,
      nullable: true,
      description: 'Why; null when it is no longer suppressed.',
      resolve: ({ data }) => data.reason,
    }),
    origin: t.field({ type: SuppressionOrigin, description: 'Who said so.', resolve: ({ data }) => data.origin }),
  }),
});

refOf('EXPIRED').implement({ description: 'The email could not be delivered in time.', interfaces });

refOf('CANCELLED').implement({ description: 'The email was cancelled before it was handed over.', interfaces });
