// The live end of the log. One reader a node follows the log and hands each event to the subscribers of its server; a
// subscriber that is not there yet, or fell behind, reads the log by itself and joins again when it has caught up.
//
// A subscriber is in one of two modes:
//   behind — reads pages of its server's log after its cursor. Before the last page it attaches to the feed, so that
//            nothing falls between: what the feed published before was below that page's horizon, what it publishes
//            after is in the buffer; the overlap is told by position and dropped.
//   live   — fed from its buffer. A buffer that would overflow is thrown away: behind again, at its cursor.
// So memory is bounded by the buffer, order is the log's, and nothing is missed or seen twice.
import type { Database } from '#/db/client.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { Channel, Clock, Log } from '#/runtime/ports.ts';
import { comparePositions, type LogPosition, type LoggedEvent } from './catalogue.ts';
import { type EventFilter, readHorizon, readLog, readServerLog } from './log.ts';

/** Events that wait for one live subscriber: some seconds of a busy server, and a few hundred KB at most. */
const BUFFER = 1_000;
const PAGE = 500;
const READ_LIMIT = 1_000;
/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 500;
/** When committed events wait for an older transaction to end. */
const PENDING_MS = 2;

export interface Subscription {
  readonly accountId: string;
  readonly serverId: string;
  /** The one stream that the caller is bound to. */
  readonly streamId: string | null;
  readonly filter: EventFilter;
  /** Null: from now. */
  readonly after: LogPosition | null;
}

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

interface Deps {
  readonly db: Database;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log: Log;
}

export function createFeed(deps: Deps): RunningFeed {
  const subscribers = new Map<string, Set<Subscriber>>();
  const closing = new AbortController();
  let attached = 0;
  let wakeUp = Promise.withResolvers<void>();
  // Settled while the reader has a position: whoever attaches reads its last page only then, or rows between that page's
  // horizon and the reader's first would be nobody's.
  let anchored = Promise.withResolvers<void>();
  const stopListening = deps.channel.on('events', () => wakeUp.resolve());

  const publish = (events: readonly LoggedEvent[]) => {
    for (const event of events) for (const subscriber of subscribers.get(event.serverId) ?? []) subscriber.offer(event);
  };

  /** Follows the log while somebody is attached; anchors anew at the horizon after a time when nobody was. */
  const follow = async (): Promise<void> => {
    let position: LogPosition | null = null;
    while (!closing.signal.aborted) {
      wakeUp = Promise.withResolvers<void>();
      if (attached === 0) {
        if (position !== null) anchored = Promise.withResolvers<void>();
        position = null;
        await wakeUp.promise;
        continue;
      }
      let pause = POLL_MS;
      try {
        position ??= await readHorizon(deps.db);
        anchored.resolve();
        const page = await readLog(deps.db, position, READ_LIMIT);
        publish(page.events);
        const last = page.events.at(-1);
        const full = page.events.length === READ_LIMIT && last !== undefined;
        // Below the horizon nothing can come any more: the next read starts there and skips what was read.
        position = full ? last.position : page.horizon;
        if (full) continue;
        if (page.pending) pause = PENDING_MS;
      } catch (error) {
        deps.log.warn({ error }, 'the event log could not be read; trying again');
      }
      const waiting = new AbortController();
      const timeout = deps.clock.sleep(pause, AbortSignal.any([closing.signal, waiting.signal]));
      await Promise.race([wakeUp.promise, timeout]);
      waiting.abort();
    }
  };

  class Subscriber {
    readonly #subscription: Subscription;
    readonly #buffer: LoggedEvent[] = [];
    #cursor: LogPosition | null;
    #live = false;
    #closed = false;
    #waiting: PromiseWithResolvers<void> | null = null;

    constructor(subscription: Subscription) {
      this.#subscription = subscription;
      this.#cursor = subscription.after;
    }

    /** From the feed. A full buffer means that the reader is slow: it goes on from the log at its own pace. */
    offer(event: LoggedEvent): void {
      if (!matches(this.#subscription, event)) return;
      if (this.#buffer.length >= BUFFER) this.#detach();
      else this.#buffer.push(event);
      this.#waiting?.resolve();
    }

    async next(): Promise<LoggedEvent | null> {
      while (!this.#closed) {
        const event = this.#buffer.shift();
        if (event !== undefined) {
          if (this.#cursor !== null && comparePositions(event.position, this.#cursor) <= 0) continue;
          this.#cursor = event.position;
          return event;
        }
        if (!this.#live) await this.#readLog();
        else {
          this.#waiting = Promise.withResolvers<void>();
          await this.#waiting.promise;
        }
      }
      return null;
    }

    close(): void {
      if (this.#closed) return;
      this.#closed = true;
      this.#buffer.length = 0;
      this.#detach();
      this.#waiting?.resolve();
    }

    #attach(): void {
      if (this.#live) return;
      this.#live = true;
      const { serverId } = this.#subscription;
      const ofServer = subscribers.get(serverId) ?? new Set();
      subscribers.set(serverId, ofServer.add(this));
      if (++attached === 1) wakeUp.resolve();
    }

    #detach(): void {
      if (!this.#live) return;
      this.#live = false;
      this.#buffer.length = 0;
      const { serverId } = this.#subscription;
      const ofServer = subscribers.get(serverId);
      ofServer?.delete(this);
      if (ofServer?.size === 0) subscribers.delete(serverId);
      attached--;
    }

    /** Takes the next page into the buffer; goes live with the page that reaches the horizon. */
    async #readLog(): Promise<void> {
      this.#cursor ??= await readHorizon(deps.db);
      const first = await this.#page(this.#cursor);
      if (first.events.length === PAGE) {
        this.#buffer.push(...first.events);
        return;
      }
      const last = first.events.at(-1)?.position ?? this.#cursor;
      if (this.#closed) return;
      this.#attach();
      await anchored.promise;
      const published = this.#buffer.splice(0);
      const rest = await this.#page(last);
      const between = this.#buffer.splice(0);
      this.#buffer.push(...first.events, ...rest.events);
      if (rest.events.length === PAGE || !this.#live) {
        // Still behind, or the feed overflowed meanwhile: the log has it all.
        const own = this.#buffer.splice(0);
        this.#detach();
        this.#buffer.push(...own);
        return;
      }
      this.#buffer.push(...published, ...between);
    }

    #page(after: LogPosition) {
      const { filter } = this.#subscription;
      const fromBucket = bucketAt(deps.clock.now(), 0);
      return readServerLog(deps.db, this.#subscription, after, filter, PAGE, fromBucket);
    }
  }

  const open = new Set<Subscriber>();
  const running = follow();

  return {
    get size() {
      return open.size;
    },
    subscribe(subscription) {
      const subscriber = new Subscriber(subscription);
      open.add(subscriber);
      const close = () => {
        subscriber.close();
        open.delete(subscriber);
      };
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
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      stopListening();
      for (const subscriber of open) subscriber.close();
      open.clear();
      wakeUp.resolve();
      anchored.resolve();
      await running;
    },
  };
}

function matches({ accountId, streamId, filter }: Subscription, event: LoggedEvent): boolean {
  return (
    event.accountId === accountId &&
    (streamId === null || event.streamId === streamId) &&
    (!filter.types || filter.types.includes(event.type)) &&
    (!filter.streamIds || filter.streamIds.includes(event.streamId)) &&
    (!filter.tag || event.tag === filter.tag) &&
    (!filter.recipient || event.recipient?.toLowerCase() === filter.recipient) &&
    (!filter.messageId || event.messageId === filter.messageId)
  );
}
