// What a webhook tells of an event: the fields that the GraphQL API shows of it, as JSON, under the same names.
import { type BounceType, bounceTypes, isBounceType } from '#/domain/bounce-types.ts';
import type { SuppressionReason } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { EventType, LoggedEvent } from './catalogue.ts';
import { encodeCursor } from './cursor.ts';

export interface BounceFacts {
  readonly id: string;
  readonly type: string;
  readonly address: string;
  readonly occurredAt: Date;
  readonly smtpCode: number | null;
  readonly enhancedCode: string | null;
  readonly details: string;
  readonly messageId: string | null;
  /** Of the suppression that it caused and that is still in force. */
  readonly suppressionReason: SuppressionReason | null;
}

export interface PayloadFacts {
  /** Slug. */
  readonly stream: string;
  /** Of a bounce or complaint; null when it is not kept any more. */
  readonly bounce: BounceFacts | null;
}

/** The body of a call. */
export function webhookPayload(event: LoggedEvent, facts: PayloadFacts): string {
  return JSON.stringify({
    id: encodeId('event', event.id),
    type: event.type,
    occurredAt: event.occurredAt,
    cursor: encodeCursor(event.serverId, event.position),
    serverId: encodeId('server', event.serverId),
    messageId: encodeId('message', event.messageId),
    recipient: event.recipient,
    stream: facts.stream,
    tag: event.tag,
    metadata: event.metadata ?? {},
    ...ownFields(event, facts.bounce),
  });
}

function ownFields(event: LoggedEvent, bounce: BounceFacts | null): object {
  switch (event.type) {
    case 'BOUNCED':
    case 'SPAM_COMPLAINT':
      return { bounce: bounce === null ? null : shownBounce(bounce) };
    case 'OPENED':
    case 'CLICKED':
      return { ...event.data, client: null, os: null, platform: null };
    case 'IN_DOUBT':
      return { nextAttemptAt: null, ...event.data };
    default:
      return event.data ?? {};
  }
}

function shownBounce({ id, type, suppressionReason, messageId, ...rest }: BounceFacts): object {
  const known: BounceType = isBounceType(type) ? type : 'UNKNOWN';
  return {
    id: encodeId('bounce', id),
    type: known,
    typeCode: bounceTypes[known].code,
    ...rest,
    description: bounceTypes[known].description,
    inactive: suppressionReason !== null,
    canReactivate: suppressionReason !== null && suppressionReason !== 'SPAM_COMPLAINT',
    messageId: messageId === null ? null : encodeId('message', messageId),
  };
}

export interface SampleFacts {
  readonly serverId: string;
  /** Drawn for this very call: no event of the log has it. */
  readonly eventId: string;
  readonly now: Date;
  readonly stream: string;
}

/** The body of a trial call: everything that a real one has, with made-up values, and `test: true`. */
export function samplePayload(type: EventType, { serverId, eventId, now, stream }: SampleFacts): string {
  const position = { xact: 0, id: eventId };
  const base = {
    id: eventId,
    bucket: 0,
    accountId: eventId,
    serverId,
    streamId: eventId,
    messageId: eventId,
    recipient: 'recipient@example.com',
    tag: 'sample',
    metadata: { sample: 'true' },
    occurredAt: now,
    position,
  };
  const bounce: BounceFacts = {
    id: eventId,
    type: type === 'SPAM_COMPLAINT' ? 'SPAM_COMPLAINT' : 'HARD_BOUNCE',
    address: base.recipient,
    occurredAt: now,
    smtpCode: type === 'SPAM_COMPLAINT' ? null : 550,
    enhancedCode: type === 'SPAM_COMPLAINT' ? null : '5.1.1',
    details: type === 'SPAM_COMPLAINT' ? 'The recipient marked the message as spam.' : 'No such mailbox.',
    messageId: eventId,
    suppressionReason: type === 'SPAM_COMPLAINT' ? 'SPAM_COMPLAINT' : 'HARD_BOUNCE',
  };
  // `sampleData` gives each type its own.
  const event = { ...base, type, data: sampleData(type, now, eventId) } as LoggedEvent;
  return JSON.stringify({ test: true, ...(JSON.parse(webhookPayload(event, { stream, bounce })) as object) });
}

function sampleData(type: EventType, now: Date, eventId: string): LoggedEvent['data'] {
  const reader = { first: true, machine: false, userAgent: 'Mozilla/5.0' };
  switch (type) {
    case 'SUPPRESSED':
      return { reason: 'HARD_BOUNCE' };
    case 'DELAYED':
      return { smtpCode: 451, response: '4.7.1 Try again later', nextAttemptAt: now.toISOString() };
    case 'DELIVERED':
      return { remoteHost: 'mx.example.com', response: '250 2.0.0 Ok' };
    case 'IN_DOUBT':
      return { remoteHost: 'mx.example.com', nextAttemptAt: null };
    case 'BOUNCED':
      return { bounceId: eventId, bounceType: 'HARD_BOUNCE', failed: true };
    case 'SPAM_COMPLAINT':
      return { bounceId: eventId };
    case 'OPENED':
      return reader;
    case 'CLICKED':
      return { ...reader, url: 'https://example.com/', location: 'HTML' };
    case 'SUBSCRIPTION_CHANGED':
      return { suppressed: true, reason: 'UNSUBSCRIBE', origin: 'RECIPIENT' };
    default:
      return null;
  }
}
