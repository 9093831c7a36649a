// What use-cases are given. Built once, in app.ts.
import type { Database } from '#/db/client.ts';
import type { EventFeed } from '#/events/feed.ts';
import type { Channel, Clock, Ids, Log, Random } from '#/runtime/ports.ts';
import type { SendingProfiles } from './emails/sending-profiles.ts';

export interface Deps {
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly feed: EventFeed;
  readonly profiles: SendingProfiles;
}
