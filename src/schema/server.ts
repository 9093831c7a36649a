// Servers as they are read; what is done to them stands in server-mutations.ts.
import type { ServerRow } from '#/db/servers.ts';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { refusalOf } from '#/domain/actor.ts';
import { DEFAULT_COLOR, type ServerColor as Color, serverColors } from '#/domain/servers.ts';
import { listMessages } from '#/resolvers/messages/list-messages.ts';
import { getEvents } from '#/resolvers/events/get-events.ts';
import { cursorOf } from '#/resolvers/events/message-events.ts';
import { builder, guarded } from './builder.ts';
import { MessageEventConnection, MessageEventFilter } from './event.ts';
import { LinkTracking, linkTrackingOf } from './link-tracking.ts';
import { type Context, within } from './context.ts';
import { onId, onServer } from './guards.ts';
import { loadersIn, loadersOf } from './loaders.ts';
import { locate } from './locate.ts';
import { MessageConnection, MessageFilter } from './message.ts';
import { afterText, checkFirst, connectionOf, firstText, MAX_EVENT_PAGE } from './paging.ts';
import { MessageStream } from './stream.ts';

export const ServerColor = builder.enumType('ServerColor', {
  description: 'Tells servers apart at a glance.',
  values: {
    PURPLE: { description: 'Purple.' },
    BLUE: { description: 'Blue.' },
    TURQUOISE: { description: 'Turquoise.' },
    GREEN: { description: 'Green.' },
    RED: { description: 'Red.' },
    ORANGE: { description: 'Orange.' },
    YELLOW: { description: 'Yellow.' },
    GREY: { description: 'Grey.' },
  } as const,
});

export const DeliveryType = builder.enumType('DeliveryType', {
  description: 'What becomes of the mail of a server.',
  values: {
    LIVE: { description: 'It is delivered.' },
    SANDBOX: { description: 'It is accepted, never delivered, and outcomes are simulated.' },
  } as const,
});

export const ServerAccessLevel = builder.enumType('ServerAccessLevel', {
  description: 'How far somebody may go on a server.',
  values: {
    ADMIN: { description: 'May change it.' },
    VIEWER: { description: 'May see it.' },
  } as const,
});

function colorOf({ color }: ServerRow): Color {
  return serverColors.find((known) => known === color) ?? DEFAULT_COLOR;
}

export const Server = builder.objectRef<ServerRow>('Server').implement({
  description: 'A set of streams, messages, tokens and settings that belong together, such as one application.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, srv_….', resolve: ({ id }) => encodeId('server', id) }),
    name: t.exposeString('name', { description: 'For people; unique in the account.' }),
    color: t.field({ type: ServerColor, description: 'Tells it apart at a glance.', resolve: colorOf }),
    deliveryType: t.field({
      type: DeliveryType,
      description: 'Fixed at creation. A sandbox accepts everything, delivers nothing, and simulates outcomes.',
      resolve: ({ deliveryType }) => deliveryType,
    }),
    viewerLevel: t.withAuth({ authenticated: true }).field({
      type: ServerAccessLevel,
      description: 'What the caller may do to the server itself.',
      resolve: ({ id, accountId }, _args, context) =>
        refusalOf(within(context, accountId).caller.actor, 'server.update', id) === null ? 'ADMIN' : 'VIEWER',
    }),
    trackOpens: t.exposeBoolean('trackOpens', { description: 'Opens are recorded unless an email says otherwise.' }),
    trackLinks: t.field({
      type: LinkTracking,
      description: 'Which links are tracked unless an email says otherwise.',
      resolve: ({ trackLinks }) => linkTrackingOf(trackLinks),
    }),
    streams: t.withAuth(onServer('stream.read')).field({
      type: [MessageStream],
      description: 'The streams of the server that the caller may see, oldest first.',
      args: { includeArchived: t.arg.boolean({ required: false, description: 'Archived ones too; not unless said.' }) },
      resolve: async (server, { includeArchived }, context) => {
        const streams = await loadersOf(context, server).streamsOfServer.load(server.id);
        return streams.filter(({ archivedAt }) => includeArchived === true || archivedAt === null);
      },
    }),
    stream: t.withAuth(onServer('stream.read')).field({
      type: MessageStream,
      nullable: true,
      description: 'One stream, archived or not.',
      args: { slug: t.arg.string({ description: 'Its slug.' }) },
      resolve: async (server, { slug }, context) => {
        const streams = await loadersOf(context, server).streamsOfServer.load(server.id);
        return streams.find((stream) => stream.slug === slug) ?? null;
      },
    }),
    messages: t.withAuth(onServer(listMessages.permission)).field({
      type: MessageConnection,
      description: guarded(listMessages.permission, 'Messages that are kept, newest first.'),
      extensions: { cost: 5 },
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
        filter: t.arg({ type: MessageFilter, required: false, description: 'Only those that pass; all unless given.' }),
      },
      resolve: async ({ id, accountId }, args, context) => {
        const { deps, caller } = within(context, accountId);
        const first = checkFirst(args.first);
        const after = args.after ?? null;
        const page = await listMessages(deps, caller, { serverId: id, first, after, filter: args.filter ?? {} });
        return connectionOf(page.messages, { hasMore: page.hasMore, after }, (row) => encodeId('message', row.id));
      },
    }),
    events: t.withAuth(onServer(getEvents.permission)).field({
      type: MessageEventConnection,
      description: guarded(
        getEvents.permission,
        'Events that are kept, oldest first, in the one order in which subscriptions have them too.',
      ),
      extensions: { cost: 5 },
      args: {
        first: t.arg.int({ description: firstText(MAX_EVENT_PAGE) }),
        after: t.arg.string({ required: false, description: afterText }),
        filter: t.arg({
          type: MessageEventFilter,
          required: false,
          description: 'Only those that pass; all unless given.',
        }),
      },
      resolve: async ({ id, accountId }, args, context) => {
        const { deps, caller } = within(context, accountId);
        const first = checkFirst(args.first, MAX_EVENT_PAGE);
        const after = args.after ?? null;
        const page = await getEvents(deps, caller, { serverId: id, first, after, filter: args.filter ?? {} });
        return connectionOf(page.events, { hasMore: page.hasMore, after }, cursorOf);
      },
    }),
  }),
});

export const ServerConnection = builder.connectionObject(
  { type: Server, name: 'ServerConnection', description: 'A page of servers.' },
  { name: 'ServerEdge', description: 'A server in its list.' },
);

builder.queryField('server', (t) =>
  t.withAuth(onId({ permission: 'server.read' }, 'server', 'id')).field({
    type: Server,
    nullable: true,
    description: 'A server by its id. Without id: the server of the calling token.',
    args: { id: t.arg.id({ required: false, description: 'Of the server.' }) },
    resolve: async (_root, { id }, context) => {
      const uuid = typeof id === 'string' ? decodeIdOf('server', id) : ownServerOf(context);
      const located = uuid === null ? null : await locate(context, 'server', uuid);
      return located === null || uuid === null ? null : loadersIn(context, located.at).server.load(uuid);
    },
  }),
);

/** The server that the calling token is bound to; null for everybody else. */
export function ownServerOf({ asker }: Context): string | null {
  return asker !== null && 'actor' in asker && asker.actor.kind === 'SERVER_TOKEN' ? asker.actor.serverId : null;
}
