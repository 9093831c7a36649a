// How what is to be sent comes on record and into memory: from the log, from a replay, from what another process left.
import type { SystemScope } from '#/db/scope.ts';
import type { WebhookDeliveryRow } from '#/db/webhook-deliveries.ts';
import { findReplay, type NewDelivery } from '#/db/webhook-work.ts';
import type { WebhookRow } from '#/db/webhooks.ts';
import type { Verdict } from '#/domain/webhooks/verdict.ts';
import { bucketAt } from '#/domain/retention.ts';
import { type EventType, eventTypes, type LoggedEvent } from '#/events/catalogue.ts';
import type { EventFeed } from '#/events/feed.ts';
import type { EventFilter } from '#/events/log.ts';
import { findEvents, readRange } from '#/events/log-range.ts';
import type { Clock, HttpClient, Ids, Log, Random, SecretBox } from '#/runtime/ports.ts';
import type { Bodies } from './bodies.ts';
import type { Ledger } from './ledger.ts';
import type { Slots } from './slots.ts';

export interface CourierDeps {
  readonly system: SystemScope;
  readonly owner: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly feed: EventFeed;
  readonly http: HttpClient;
  readonly secrets: SecretBox;
  readonly ledger: Ledger;
  readonly slots: Slots;
  readonly bodies: Bodies;
  onCall?(verdict: Verdict, latencyMs: number): void;
}

/** A delivery on record, with what is sent. */
export interface Job {
  row: WebhookDeliveryRow;
  readonly body: string;
}

export function typesOf({ events }: WebhookRow): EventType[] {
  return eventTypes.filter((type) => events.includes(type));
}

export function filterOf(row: WebhookRow): EventFilter {
  return { types: typesOf(row), ...(row.streamIds.length === 0 ? {} : { streamIds: row.streamIds }) };
}

export interface Stock {
  /** Of rows as they lie in the database. Whose event is no longer kept is ended here. */
  jobsOf(rows: readonly WebhookDeliveryRow[]): Promise<Job[]>;
  /** Puts events on record and moves the cursor behind the last. Null: the lease is lost. */
  take(webhook: WebhookRow, events: readonly LoggedEvent[]): Promise<Job[] | null>;
  /** The next stretch of the oldest replay. */
  takeReplay(webhook: WebhookRow, most: number): Promise<{ readonly jobs: Job[]; readonly more: boolean } | null>;
}

export function stockFrom(deps: CourierDeps): Stock {
  const { system, ledger, bodies, clock } = deps;

  const recorded = async (
    webhook: WebhookRow,
    events: readonly LoggedEvent[],
    replay: { readonly id: string; readonly ended: boolean; readonly from: LoggedEvent['position'] } | null,
  ): Promise<Job[] | null> => {
    const texts = await bodies.of(events);
    const now = clock.now();
    const deliveries = events.map((event) => newDelivery(deps.ids, webhook, event, replay !== null, now));
    const through = events.at(-1)?.position ?? replay?.from;
    if (through === undefined) return [];
    const { accountId, id: webhookId } = webhook;
    if (!(await ledger.take({ accountId, webhookId, deliveries, through, replay }))) return null;
    return deliveries.map((row) => ({ row: { ...row, ...untried }, body: texts.get(row.eventId) ?? '' }));
  };

  return {
    async jobsOf(rows) {
      const events = await findEvents(system.db, rows);
      const texts = await bodies.of([...events.values()]);
      const jobs: Job[] = [];
      for (const row of rows) {
        const body = texts.get(row.eventId);
        if (body !== undefined) jobs.push({ row, body });
        else await ledger.settle({ outcome: { ...row, ...forgotten }, health: null });
      }
      return jobs;
    },
    take: (webhook, events) => recorded(webhook, events, null),
    async takeReplay(webhook, most) {
      const replay = await findReplay(system.db, webhook.accountId, webhook.id);
      if (replay === undefined) return { jobs: [], more: false };
      const from = { xact: replay.cursorXact, id: replay.cursorId };
      const range = {
        accountId: webhook.accountId,
        serverId: webhook.serverId,
        types: typesOf(webhook),
        streamIds: webhook.streamIds.length === 0 ? null : webhook.streamIds,
        since: replay.since,
        until: replay.until,
        throughXact: replay.throughXact,
        fromBucket: bucketAt(clock.now(), 0),
      };
      const events = await readRange(system.db, range, from, most);
      const jobs = await recorded(webhook, events, { id: replay.id, ended: events.length < most, from });
      return jobs === null ? null : { jobs, more: true };
    },
  };
}

const untried = {
  state: 'PENDING',
  attempts: 0,
  firstAttemptAt: null,
  lastAttemptAt: null,
  lastStatus: null,
  lastError: null,
  lastLatencyMs: null,
  responseHead: null,
} as const;

const forgotten = { state: 'FAILED', nextAttemptAt: null, lastError: 'the event is no longer kept' } as const;

/** Its id carries the bucket of its event, as that of a message does. */
function newDelivery(ids: Ids, webhook: WebhookRow, event: LoggedEvent, replayed: boolean, now: Date): NewDelivery {
  return {
    bucket: event.bucket,
    accountId: webhook.accountId,
    id: ids.nextInBucket(event.bucket),
    serverId: webhook.serverId,
    webhookId: webhook.id,
    logXact: event.position.xact,
    eventId: event.id,
    eventType: event.type,
    replayed,
    createdAt: now,
    nextAttemptAt: now,
  };
}
