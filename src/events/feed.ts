// The live end of the log, as the rest of the program sees it: subscribe, and get each event once and in order, from a
// cursor or from now on. How: log-follower.ts reads for the node, subscriber.ts for whoever is behind.
import type { LoggedEvent } from './catalogue.ts';
import { type Deps, LogFollower } from './log-follower.ts';
import { Subscriber, type Subscription } from './subscriber.ts';

export type { Subscription } from './subscriber.ts';

/** Hand-written on purpose: return() settles a next() that waits, which an async generator cannot. */
export interface EventIterator extends AsyncIterableIterator<LoggedEvent> {
  next(): Promise<IteratorResult<LoggedEvent, undefined>>;
  return(): Promise<IteratorResult<LoggedEvent, undefined>>;
}

export interface EventFeed {
  subscribe(subscription: Subscription): EventIterator;
  /** Open iterators, for metrics and leak checks. */
  readonly size: number;
}

export interface RunningFeed extends EventFeed, AsyncDisposable {}

export function createFeed(deps: Deps): RunningFeed {
  const follower = new LogFollower(deps);
  const open = new Set<Subscriber>();
  return {
    get size() {
      return open.size;
    },
    subscribe(subscription) {
      const subscriber = new Subscriber(deps, follower, subscription);
      open.add(subscriber);
      return iterate(subscriber, () => {
        subscriber.close();
        open.delete(subscriber);
      });
    },
    async [Symbol.asyncDispose]() {
      for (const subscriber of open) subscriber.close();
      open.clear();
      await follower[Symbol.asyncDispose]();
    },
  };
}

function iterate(subscriber: Subscriber, close: () => void): EventIterator {
  const iterator: EventIterator = {
    async next() {
      const event = await subscriber.next();
      return event === null ? { done: true, value: undefined } : { done: false, value: event };
    },
    return() {
      close();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      close();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() {
      return iterator;
    },
  };
  return iterator;
}
