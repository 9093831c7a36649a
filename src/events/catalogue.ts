// Every kind of event and what it carries besides the fields that all have. One line here, and the log, the live stream
// and webhooks know it.
import type { SuppressionReason } from '#/domain/errors.ts';

export interface EventData {
  /** Once for each recipient. */
  ACCEPTED: null;
  SUPPRESSED: { reason: SuppressionReason };
  DELAYED: { smtpCode: number | null; response: string | null; nextAttemptAt: string };
  DELIVERED: { remoteHost: string | null; response: string };
  /** For counters, its type, and whether the message did not arrive (an auto-reply is a bounce too). */
  BOUNCED: { bounceId: string; bounceType: string; failed: boolean };
  /**
   * Content was sent and the answer never seen: it may or may not have arrived. `nextAttemptAt`: when a second copy is
   * tried; null or absent: never.
   */
  IN_DOUBT: { remoteHost: string | null; nextAttemptAt?: string | null };
  SPAM_COMPLAINT: { bounceId: string };
  OPENED: { first: boolean; machine: boolean; userAgent: string | null };
  CLICKED: { first: boolean; machine: boolean; userAgent: string | null; url: string; location: 'HTML' | 'TEXT' };
  SUBSCRIPTION_CHANGED: {
    suppressed: boolean;
    reason: SuppressionReason | null;
    origin: 'RECIPIENT' | 'CUSTOMER' | 'OPERATOR';
  };
  EXPIRED: null;
  CANCELLED: null;
}

export type EventType = keyof EventData;

export const eventTypes = [
  'ACCEPTED',
  'SUPPRESSED',
  'DELAYED',
  'DELIVERED',
  'BOUNCED',
  'IN_DOUBT',
  'SPAM_COMPLAINT',
  'OPENED',
  'CLICKED',
  'SUBSCRIPTION_CHANGED',
  'EXPIRED',
  'CANCELLED',
] as const satisfies readonly EventType[];

/** The message of events that no message caused, such as an address suppressed by hand: of the id of none. */
export const NO_MESSAGE = '00000000-0000-0000-0000-000000000000';

interface EventBase {
  readonly id: string;
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string;
  readonly messageId: string;
  readonly recipient: string | null;
  readonly tag: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** What is given to `append`; the log adds time and position. */
export type NewEvent = {
  [T in EventType]: EventBase & {
    readonly type: T;
    readonly data: EventData[T];
    /** Where there is no message, or it is gone; else it is kept as long as its message. */
    readonly bucket?: number;
  };
}[EventType];

/** What of an event is a bounce's own. */
export function tellBounce(
  bounceId: string,
  bounceType: string,
  failed: boolean,
): { type: 'SPAM_COMPLAINT'; data: EventData['SPAM_COMPLAINT'] } | { type: 'BOUNCED'; data: EventData['BOUNCED'] } {
  return bounceType === 'SPAM_COMPLAINT'
    ? { type: 'SPAM_COMPLAINT', data: { bounceId } }
    : { type: 'BOUNCED', data: { bounceId, bounceType, failed } };
}

/** As read from the log. */
export type LoggedEvent = NewEvent & {
  readonly bucket: number;
  readonly occurredAt: Date;
  readonly position: LogPosition;
};

/** Order of the log: the transaction that wrote the event, then the event's id. */
export interface LogPosition {
  readonly xact: number;
  readonly id: string;
}

export function comparePositions(a: LogPosition, b: LogPosition): number {
  if (a.xact !== b.xact) return a.xact - b.xact;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
