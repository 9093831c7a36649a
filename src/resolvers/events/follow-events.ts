// The live events of a server, from a cursor or from now on.
import { NotFound } from '#/domain/errors.ts';
import { stream } from '../define.ts';
import { type EventsRequest, toLogRequest } from './log-request.ts';
import { untilServerIsDeleted } from './until-server-is-deleted.ts';

export const followEvents = stream({
  permission: 'event.read',
  errors: [NotFound],
  async open({ scope, deps, caller, fail }, request: EventsRequest) {
    const { reach, filter, after } = (await toLogRequest(deps, scope, request)) ?? fail(new NotFound());
    const events = deps.feed.subscribe({ ...reach, filter, after });
    // A token of the server dies with it, and its connections with 4401, which says more than an end.
    if (caller.actor.kind === 'SERVER_TOKEN') return events;
    return untilServerIsDeleted(deps, scope, reach.serverId, events);
  },
});
