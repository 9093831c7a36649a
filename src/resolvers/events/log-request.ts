// What a request for events of a server means in terms of its log: the filter with ids for slugs, and the position of a
// cursor, which must be one of this log and not older than what is kept.
import { findServer, listStreams } from '#/db/servers.ts';
import type { ReadScope } from '#/db/scope.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { BadUserInput, CursorExpired, InvalidCursor } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import type { EventType, LogPosition } from '#/events/catalogue.ts';
import { decodeCursor, encodeCursor } from '#/events/cursor.ts';
import { type EventFilter, FIRST_ID, readFloor } from '#/events/log.ts';
import type { Deps } from '../deps.ts';
import { checkFilterText } from '../filter-text.ts';

export interface MessageEventFilter {
  readonly types?: readonly EventType[] | null | undefined;
  /** Slugs. */
  readonly streams?: readonly string[] | null | undefined;
  readonly tag?: string | null | undefined;
  readonly recipient?: string | null | undefined;
  /** Public id. */
  readonly messageId?: string | null | undefined;
}

export interface EventsRequest {
  readonly serverId: string;
  readonly filter: MessageEventFilter;
  readonly after: string | null;
}

export interface LogRequest {
  readonly reach: { readonly accountId: string; readonly serverId: string; readonly streamId: string | null };
  readonly filter: EventFilter;
  /** Null: no cursor was given. */
  readonly after: LogPosition | null;
}

/** Null when the scope does not reach the server. */
export async function toLogRequest(deps: Deps, scope: ReadScope, request: EventsRequest): Promise<LogRequest | null> {
  const server = await findServer(scope, request.serverId);
  if (server === undefined) return null;
  const reach = { accountId: scope.accountId, serverId: server.id, streamId: scope.streamId };
  const filter = await toEventFilter(scope, server.id, request.filter);
  if (request.after === null) return { reach, filter, after: null };
  const after = decodeCursor(server.id, request.after);
  if (after === null) throw new InvalidCursor();
  const { droppedThrough } = await readFloor(deps.db, reach);
  // From the floor on nothing is missing: events of the floor's own transaction that are left come after this cursor.
  if (after.xact < droppedThrough)
    throw new CursorExpired(encodeCursor(server.id, { xact: droppedThrough, id: FIRST_ID }));
  return { reach, filter, after };
}

async function toEventFilter(scope: ReadScope, serverId: string, given: MessageEventFilter): Promise<EventFilter> {
  const { types, streams, tag, recipient, messageId } = given;
  return {
    ...(types ? { types } : {}),
    ...(streams ? { streamIds: await streamIdsOf(scope, serverId, streams) } : {}),
    ...(typeof tag === 'string' ? { tag: checkFilterText('tag', tag) } : {}),
    ...(typeof recipient === 'string' ? { recipient: addressOf(recipient) } : {}),
    // What is no id of a message is the id of none.
    ...(typeof messageId === 'string' ? { messageId: decodeIdOf('message', messageId) ?? FIRST_ID } : {}),
  };
}

async function streamIdsOf(scope: ReadScope, serverId: string, slugs: readonly string[]): Promise<string[]> {
  const known = new Map((await listStreams(scope, [serverId])).map(({ slug, id }) => [slug, id]));
  return slugs.map((slug) => {
    const id = known.get(slug);
    if (id === undefined) throw new BadUserInput(`filter.streams: there is no stream "${slug}" on this server.`);
    return id;
  });
}

function addressOf(text: string): string {
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw new BadUserInput(`filter.recipient: ${parsed.reason}.`);
  return parsed.mailbox.address.toLowerCase();
}
