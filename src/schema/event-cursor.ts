// The place from which a client that keeps cursors begins.
import { endOfLog } from '#/resolvers/events/end-of-log.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { onServer } from './guards.ts';
import { Server } from './server.ts';

builder.objectField(Server, 'eventCursor', (t) =>
  t.withAuth(onServer(endOfLog.permission)).string({
    description: guarded(
      endOfLog.permission,
      'The end of the log of events now: with it as `after`, everything that is written from now on follows.',
    ),
    resolve: ({ id, accountId }, _args, context) => {
      const { deps, caller } = within(context, accountId);
      return endOfLog(deps, caller, { serverId: id });
    },
  }),
);
