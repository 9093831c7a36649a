// The live events of a server, from a cursor or from now on.
import { NotFound } from '#/domain/errors.ts';
import { stream } from '../define.ts';
import { type EventsRequest, toLogRequest } from './log-request.ts';

export const followEvents = stream({
  permission: 'event.read',
  errors: [NotFound],
  async open({ scope, deps, fail }, request: EventsRequest) {
    const { reach, filter, after } = (await toLogRequest(deps, scope, request)) ?? fail(new NotFound());
    return deps.feed.subscribe({ ...reach, filter, after });
  },
});
