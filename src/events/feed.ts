// The live end of the log, as the rest of the program sees it: subscribe, and get each event once and in order, from a
// cursor or from now on. How: log-follower.ts reads for the node, subscriber.ts for whoever is behind. Another way to carry
// events between nodes is another implementation of EventFeed (docs/events.md tells when one is needed).
import type { LoggedEvent } from './catalogue.ts';
import type { LiveSource } from './live-source.ts';
import { type Deps, LogFollower } from './log-follower.ts';
import { Subscriber, type Subscription } from './subscriber.ts';

export type { Subscription } from './subscriber.ts';

export interface EventFeed {
  subscribe(subscription: Subscription): LiveSource<LoggedEvent>;
  /** Open subscriptions, for metrics and leak checks. */
  readonly size: number;
}

export interface RunningFeed extends EventFeed, AsyncDisposable {}

export function createFeed(deps: Deps): RunningFeed {
  const follower = new LogFollower(deps);
  const open = new Set<Subscriber>();
  const forget = (subscriber: Subscriber) => void open.delete(subscriber);
  return {
    get size() {
      return open.size;
    },
    subscribe(subscription) {
      const subscriber = new Subscriber(deps, follower, subscription, forget);
      open.add(subscriber);
      return subscriber;
    },
    async [Symbol.asyncDispose]() {
      for (const subscriber of [...open]) subscriber.close();
      await follower[Symbol.asyncDispose]();
    },
  };
}
