// The live events of a server, from a cursor or from now on.
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { stream } from '../define.ts';
import { type EventsRequest, toLogRequest } from './log-request.ts';

/** `serverId` null: the server that the caller is bound to. */
export type FollowEventsRequest = Omit<EventsRequest, 'serverId'> & { readonly serverId: string | null };

export const followEvents = stream({
  permission: 'event.read',
  errors: [NotFound, InvalidInput],
  async open({ scope, deps, fail }, request: FollowEventsRequest) {
    const serverId = request.serverId ?? scope.serverId;
    if (serverId === null)
      return fail(InvalidInput.at(['serverId'], 'Name the server: the caller is not bound to one.'));
    const { reach, filter, after } =
      (await toLogRequest(deps, scope, { ...request, serverId })) ?? fail(new NotFound());
    return deps.feed.subscribe({ ...reach, filter, after });
  },
});
