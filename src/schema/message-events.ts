// The live stream of events.
import { InvalidInput } from '#/domain/errors.ts';
import { followEvents } from '#/resolvers/events/follow-events.ts';
import { builder, guarded } from './builder.ts';
import { MessageEvent, MessageEventFilter } from './event.ts';
import { freshForEach } from './fresh-for-each.ts';
import { uuidOf } from './ids.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { ownServerOf } from './server.ts';

builder.subscriptionField('messageEvents', (t) =>
  t.withAuth(onId(followEvents, 'server', 'serverId')).field({
    type: MessageEvent,
    description: guarded(
      followEvents.permission,
      'Every event of the server that passes the filter, in one order, without a gap and without an event twice, from `after` on (from now, without it). A slow client is served from the log at its own pace. Ends when the caller loses the right to see it.',
    ),
    args: {
      serverId: t.arg.id({ required: false, description: "The calling token's server unless given." }),
      filter: t.arg({
        type: MessageEventFilter,
        required: false,
        description: 'Only those that pass; all unless given.',
      }),
      after: t.arg.string({
        required: false,
        description: 'Cursor of the last event that was seen; from now on unless given.',
      }),
    },
    subscribe: async (_root, { serverId, filter, after }, context) => {
      const id = typeof serverId === 'string' ? uuidOf('server', serverId) : ownServerOf(context);
      if (id === null) throw InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.');
      const caller = await callerAt(context, followEvents.permission, 'server', id);
      const events = await followEvents(context.deps, caller, {
        serverId: id,
        filter: filter ?? {},
        after: after ?? null,
      });
      return freshForEach(context, events);
    },
    // From the event alone: what is asked of it is executed once for all who ask the same with the same rights.
    extensions: { shared: true },
    resolve: (event) => event,
  }),
);
