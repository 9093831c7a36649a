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
    return untilServerIsDeleted(
      { deps, scope, caller },
      reach.serverId,
      deps.feed.subscribe({ ...reach, filter, after }),
    );
  },
});
