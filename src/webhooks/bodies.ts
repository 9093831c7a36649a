// Bodies of calls: events with what the log does not hold of them.
import { type BounceKey, readBounces, readSlugs } from '#/db/webhook-facts.ts';
import type { Database } from '#/db/client.ts';
import type { LoggedEvent } from '#/events/catalogue.ts';
import { webhookPayload } from '#/events/webhook-payload.ts';

/** Slugs never change. A stream takes some hundred bytes. */
const MAX_SLUGS = 20_000;

export interface Bodies {
  /** By the id of the event. */
  of(events: readonly LoggedEvent[]): Promise<ReadonlyMap<string, string>>;
}

export function createBodies(db: Database): Bodies {
  const slugs = new Map<string, string>();

  const learnSlugs = async (events: readonly LoggedEvent[]): Promise<void> => {
    const unknown = events.filter(({ streamId }) => !slugs.has(streamId));
    if (unknown.length === 0) return;
    if (slugs.size > MAX_SLUGS) slugs.clear();
    for (const [id, slug] of await readSlugs(db, unknown)) slugs.set(id, slug);
  };

  return {
    async of(events) {
      const bounced = events.flatMap((event): BounceKey[] =>
        event.type === 'BOUNCED' || event.type === 'SPAM_COMPLAINT'
          ? [{ accountId: event.accountId, bounceId: event.data.bounceId }]
          : [],
      );
      const [bounces] = await Promise.all([readBounces(db, bounced), learnSlugs(events)]);
      return new Map(
        events.map((event) => {
          const bounce =
            event.type === 'BOUNCED' || event.type === 'SPAM_COMPLAINT' ? bounces.get(event.data.bounceId) : undefined;
          return [event.id, webhookPayload(event, { stream: slugs.get(event.streamId) ?? '', bounce: bounce ?? null })];
        }),
      );
    },
  };
}
