// Events as the schema reads them beside a message, and the cursor of an event.
import type { ReadScope } from '#/db/scope.ts';
import type { MessageRow } from '#/db/messages.ts';
import { InvalidCursor } from '#/domain/errors.ts';
import type { LoggedEvent, LogPosition } from '#/events/catalogue.ts';
import { decodeCursor, encodeCursor } from '#/events/cursor.ts';
import { type MessageEventsKey, readMessageEvents } from '#/events/log.ts';

export { type EventType, eventTypes, type LoggedEvent, NO_MESSAGE } from '#/events/catalogue.ts';
export type { MessageEventsKey } from '#/events/log.ts';

export type EventOf<T extends LoggedEvent['type']> = Extract<LoggedEvent, { readonly type: T }>;

export function cursorOf(event: LoggedEvent): string {
  return encodeCursor(event.serverId, event.position);
}

export function positionIn({ serverId }: MessageRow, cursor: string | null): LogPosition | null {
  if (cursor === null) return null;
  const position = decodeCursor(serverId, cursor);
  if (position === null) throw new InvalidCursor();
  return position;
}

/** Pages of many messages, which the scope has found; in the order of `keys`. */
export function listMessageEvents(scope: ReadScope, keys: readonly MessageEventsKey[]): Promise<LoggedEvent[][]> {
  return readMessageEvents(scope.db, scope.accountId, keys);
}
