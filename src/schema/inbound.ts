// Messages that come in, as they are read.
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { blindRecipients, inboundAttachments, inboundPeople } from '#/resolvers/inbound/inbound-content.ts';
import { type AttachmentLink as Link, attachmentLinks, LINK_MINUTES } from '#/resolvers/inbound/attachment-link.ts';
import { followInboundMessages } from '#/resolvers/inbound/follow-inbound-messages.ts';
import { listInboundMessages } from '#/resolvers/inbound/list-inbound-messages.ts';
import { builder, guarded } from './builder.ts';
import { type Context, within } from './context.ts';
import { freshForEach } from './fresh-for-each.ts';
import { onId, onItsServer, onServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { loadersOf } from './loaders.ts';
import { callerAt } from './locate.ts';
import { AttachmentInfo } from './message.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { ownServerOf, Server } from './server.ts';

export const InboundStatus = builder.enumType('InboundStatus', {
  description: 'How far an inbound message has come.',
  values: {
    QUEUED: { description: 'It waits for the webhook of its server.' },
    PROCESSED: { description: 'The webhook took it; or there is none, and it is there to be read.' },
    FAILED: { description: 'The webhook did not take it, and is not tried any more.' },
    BLOCKED: { description: 'By a rule, as spam, or because it goes in a circle. Nobody is told of it.' },
  } as const,
});

const Header = builder.objectRef<{ readonly name: string; readonly value: string }>('InboundHeader').implement({
  description: 'A field of the header of a message.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As it is written.' }),
    value: t.exposeString('value', { description: 'Decoded.' }),
  }),
});

const AttachmentLink = builder.objectRef<Link>('InboundAttachmentLink').implement({
  description: 'Where an attachment is to be had: whoever knows the link has it.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'For GET; the file comes as a download.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'From then on there is nothing.' }),
  }),
});

const contentOf = (message: InboundMessageRow, context: Context) =>
  loadersOf(context, message).inboundContent.load(message.id);
const removed = 'Null once removed.';

export const InboundMessage = builder.objectRef<InboundMessageRow>('InboundMessage').implement({
  description: guarded('inbound.read', 'A message that came in.'),
  interfaces: [builder.nodeInterfaceRef()],
  // On the type, so that it is asked for each message of a subscription too.
  authScopes: onItsServer('inbound.read'),
  fields: (t) => ({
    id: t.id({ description: 'Global id, inb_….', resolve: ({ id }) => encodeId('inboundMessage', id) }),
    receivedAt: t.expose('receivedAt', { type: 'DateTime', description: 'When it was taken.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it is removed.' }),
    status: t.field({ type: InboundStatus, description: 'How far it has come.', resolve: ({ status }) => status }),
    blockedBy: t.exposeString('blockedBy', {
      nullable: true,
      description: 'Why it is blocked: RULE and its pattern, SPAM or LOOP.',
    }),
    failure: t.exposeString('failure', {
      nullable: true,
      description: 'Why the webhook has not taken it yet, or not at all.',
    }),
    attempts: t.exposeInt('attempts', {
      description: 'Calls of the webhook for it since it came, or was taken up again.',
    }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the webhook is called for it next; null unless it is QUEUED.',
    }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description: 'What the webhook answered last; null where it did not answer, or was not called.',
    }),
    from: t.exposeString('fromAddress', { description: 'Address in From; that of the envelope where there is none.' }),
    fromName: t.string({
      description: 'Name in From; empty without one.',
      resolve: (row) => inboundPeople(row).from.name,
    }),
    to: t.stringList({
      description: 'Addresses in To.',
      resolve: (row) => inboundPeople(row).to.map(({ address }) => address),
    }),
    cc: t.stringList({
      description: 'Addresses in Cc.',
      resolve: (row) => inboundPeople(row).cc.map(({ address }) => address),
    }),
    bcc: t.stringList({
      description: 'The address that it came to, where it stands neither in To nor in Cc.',
      resolve: (row) => [...blindRecipients(row)],
    }),
    replyTo: t.stringList({
      description: 'Addresses in Reply-To.',
      resolve: (row) => inboundPeople(row).replyTo.map(({ address }) => address),
    }),
    originalRecipient: t.exposeString('originalRecipient', {
      description: 'The address that it was sent to (RCPT TO).',
    }),
    mailboxHash: t.exposeString('mailboxHash', {
      description: 'What stands after the plus in that address; empty without one.',
    }),
    subject: t.exposeString('subject', { description: 'Its subject; empty without one.' }),
    messageIdHeader: t.exposeString('messageIdHeader', {
      nullable: true,
      description: 'Its Message-ID, without angle brackets.',
    }),
    date: t.exposeString('dateHeader', { nullable: true, description: 'Its Date, as its sender wrote it.' }),
    size: t.exposeInt('size', { description: 'Octets of its source.' }),
    attachments: t.field({
      type: [AttachmentInfo],
      description: 'What is attached.',
      resolve: (row) => [...inboundAttachments(row)],
    }),
    attachmentLinks: t.withAuth(onItsServer('inboundContent.read')).field({
      type: [AttachmentLink],
      description: guarded(
        'inboundContent.read',
        `Where the attachments are to be had, in their order, for ${LINK_MINUTES} minutes from now and without a token.`,
      ),
      resolve: ({ accountId, id, attachments }, _args, { deps }) =>
        attachmentLinks(deps, { accountId, id }, inboundAttachments({ attachments }).length),
    }),
    spamScore: t.exposeFloat('spamScore', {
      nullable: true,
      description: 'Of the spam filter; null where none looked.',
    }),
    authentication: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What SPF, DKIM, DMARC and ARC prove of who wrote it; null where nobody looked.',
      resolve: ({ authentication }) => authentication,
    }),
    textBody: t.withAuth(onItsServer('inboundContent.read')).string({
      nullable: true,
      description: guarded('inboundContent.read', `The text of the body; null without one. ${removed}`),
      extensions: { cost: 5 },
      resolve: async (row, _args, context) => (await (await contentOf(row, context))?.mail())?.text ?? null,
    }),
    htmlBody: t.withAuth(onItsServer('inboundContent.read')).string({
      nullable: true,
      description: guarded(
        'inboundContent.read',
        `The HTML of the body, which anybody may have written: show it only in a sandbox. Null without one. ${removed}`,
      ),
      extensions: { cost: 5 },
      resolve: async (row, _args, context) => (await (await contentOf(row, context))?.mail())?.html ?? null,
    }),
    strippedReply: t.withAuth(onItsServer('inboundContent.read')).string({
      nullable: true,
      description: guarded(
        'inboundContent.read',
        `The new text of a reply, without what it answers; null for a message that answers none. ${removed}`,
      ),
      extensions: { cost: 5 },
      resolve: async (row, _args, context) => (await (await contentOf(row, context))?.strippedReply()) ?? null,
    }),
    headers: t.withAuth(onItsServer('inboundContent.read')).field({
      type: [Header],
      description: guarded('inboundContent.read', 'All fields of the header, in their order; none once removed.'),
      extensions: { cost: 5 },
      resolve: async (row, _args, context) => [...((await (await contentOf(row, context))?.mail())?.headers ?? [])],
    }),
    source: t.withAuth(onItsServer('inboundContent.read')).string({
      nullable: true,
      description: guarded('inboundContent.read', `The whole message as it came. ${removed}`),
      extensions: { cost: 10 },
      resolve: async (row, _args, context) => (await contentOf(row, context))?.source.toString('utf8') ?? null,
    }),
  }),
});

const InboundMessageConnection = builder.connectionObject(
  { type: InboundMessage, name: 'InboundMessageConnection', description: 'A page of inbound messages.' },
  { name: 'InboundMessageEdge', description: 'An inbound message in its list.' },
);

const InboundMessageFilter = builder.inputType('InboundMessageFilter', {
  description: 'What an inbound message must have. All that is given must match.',
  fields: (t) => ({
    status: t.field({ type: InboundStatus, required: false, description: 'How far it has come; all unless given.' }),
    recipient: t.string({ required: false, description: 'The address that it was sent to; case does not matter.' }),
    from: t.string({ required: false, description: 'Its From address; case does not matter.' }),
    mailboxHash: t.string({ required: false, description: 'What stands after the plus of its address.' }),
    since: t.field({ type: 'DateTime', required: false, description: 'Taken then or later.' }),
    until: t.field({ type: 'DateTime', required: false, description: 'Taken before.' }),
  }),
});

builder.objectField(Server, 'inboundMessages', (t) =>
  t.withAuth(onServer(listInboundMessages.permission)).field({
    type: InboundMessageConnection,
    description: guarded(listInboundMessages.permission, 'Messages that came in and are kept, newest first.'),
    extensions: { cost: 5 },
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
      filter: t.arg({
        type: InboundMessageFilter,
        required: false,
        description: 'Only those that pass; all unless given.',
      }),
    },
    resolve: async ({ id, accountId }, args, context) => {
      const { deps, caller } = within(context, accountId);
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const page = await listInboundMessages(deps, caller, { serverId: id, first, after, filter: args.filter ?? {} });
      return connectionOf(page.messages, { hasMore: page.hasMore, after }, (row) => encodeId('inboundMessage', row.id));
    },
  }),
);

builder.subscriptionField('inboundMessages', (t) =>
  t.withAuth(onId(followInboundMessages, 'server', 'serverId')).field({
    type: InboundMessage,
    description: guarded(
      followInboundMessages.permission,
      'Every message that comes in to the server from now on, and every one that is taken up again; not those that are blocked. Ends when the caller loses the right to see it.',
    ),
    args: { serverId: t.arg.id({ required: false, description: "The calling token's server unless given." }) },
    subscribe: async (_root, { serverId }, context) => {
      const id = typeof serverId === 'string' ? uuidOf('server', serverId) : ownServerOf(context);
      if (id === null) throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
      const caller = await callerAt(context, followInboundMessages.permission, 'server', id);
      return freshForEach(context, await followInboundMessages(context.deps, caller, { serverId: id }));
    },
    resolve: (message) => message,
  }),
);
