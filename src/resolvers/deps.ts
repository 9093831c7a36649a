// What use-cases are given. Built once, in app.ts.
import type { Database } from '#/db/client.ts';
import type { SystemScope } from '#/db/scope.ts';
import type { EventFeed } from '#/events/feed.ts';
import type {
  Background,
  Channel,
  Clock,
  Dns,
  HttpClient,
  Ids,
  Log,
  Passwords,
  Random,
  SecretBox,
} from '#/runtime/ports.ts';
import type { SendingProfiles } from './emails/sending-profiles.ts';
import type { SystemMail } from './system-mail/system-mail.ts';

export interface Deps {
  readonly db: Database;
  /** For use-cases about people, who stand above accounts. */
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  readonly channel: Channel;
  readonly feed: EventFeed;
  readonly profiles: SendingProfiles;
  readonly dns: Dns;
  /** For calls to where customers say. */
  readonly http: HttpClient;
  readonly secrets: SecretBox;
  readonly passwords: Passwords;
  readonly systemMail: SystemMail;
  readonly background: Background;
  /** Makes the addresses to which mail comes in and comes back unguessable; of the installation, never changed. */
  readonly returnPathSecret: Uint8Array;
  /** What return-path CNAMEs point to; inbound addresses are on it. */
  readonly mailHost: string;
  /** Where the world reaches this installation; without a slash at its end. */
  readonly publicUrl: string;
  /** Strangers may make themselves accounts. */
  readonly signUp: boolean;
}
