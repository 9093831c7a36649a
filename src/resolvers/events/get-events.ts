// A page of a server's log, oldest first.
import { NotFound } from '#/domain/errors.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { LoggedEvent } from '#/events/catalogue.ts';
import { FIRST_ID, readServerLog } from '#/events/log.ts';
import { query } from '../define.ts';
import { type EventsRequest, toLogRequest } from './log-request.ts';

export interface EventPage {
  readonly events: readonly LoggedEvent[];
  readonly hasMore: boolean;
}

const START = { xact: 0, id: FIRST_ID };

export const getEvents = query({
  permission: 'event.read',
  errors: [NotFound],
  async run(
    { scope, deps, fail },
    { first, ...request }: EventsRequest & { readonly first: number },
  ): Promise<EventPage> {
    const asked = (await toLogRequest(deps, scope, request)) ?? fail(new NotFound());
    const fromBucket = bucketAt(deps.clock.now(), 0);
    const { events } = await readServerLog(
      deps.db,
      asked.reach,
      asked.after ?? START,
      asked.filter,
      first + 1,
      fromBucket,
    );
    return { events: events.slice(0, first), hasMore: events.length > first };
  },
});
