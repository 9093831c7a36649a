// One subscriber to the log of one server. In one of two modes:
//
//   behind — reads pages of its server's log after its cursor. Before the last page it attaches to the follower, so that
//            nothing falls between: what the follower handed out before was below that page's horizon, what it hands out
//            after is in the tail; the overlap is told by position and dropped.
//   live   — reads the tail that all followers of the server share, from its own place. When that place has left memory it
//            is behind again, at its cursor.
//
// So a slow one costs at most a page, order is the log's, and nothing is missed or seen twice.
import { bucketAt } from '#/domain/retention.ts';
import { comparePositions, type LogPosition, type LoggedEvent } from './catalogue.ts';
import { type EventFilter, type LogPage, readHorizon, readServerLog } from './log.ts';
import type { Deps, Listener, LogFollower } from './log-follower.ts';
import type { LiveSource } from './live-source.ts';
import type { Tail } from './recent-events.ts';
import { WaitingReader } from './waiting-reader.ts';

/** All that one which does not read keeps for itself: some 200 KB. */
const PAGE = 200;
/** While the database is away; then it fails. */
const RETRIES = { times: 30, everyMs: 1_000 } as const;

export interface Subscription {
  readonly accountId: string;
  readonly serverId: string;
  /** The one stream that the caller is bound to. */
  readonly streamId: string | null;
  readonly filter: EventFilter;
  /** Null: from now. */
  readonly after: LogPosition | null;
}

export class Subscriber implements Listener, LiveSource<LoggedEvent> {
  readonly #deps: Pick<Deps, 'db' | 'clock' | 'log'>;
  readonly #follower: LogFollower;
  readonly #subscription: Subscription;
  readonly #onClose: (subscriber: Subscriber) => void;
  /** Read from the log, and not yet taken. */
  #page: readonly LoggedEvent[] = [];
  #taken = 0;
  /** Of the last event that was looked at, whether it passed the filter or not. */
  #cursor: LogPosition | null;
  #tail: Tail | null = null;
  /** Number of the next in the tail. */
  #next = 0;
  #catchingUp = false;
  #closed = false;
  #failure: { readonly error: unknown } | null = null;
  readonly #reader = new WaitingReader<LoggedEvent>((most) => this.take(most));

  constructor(
    deps: Pick<Deps, 'db' | 'clock' | 'log'>,
    follower: LogFollower,
    subscription: Subscription,
    onClose: (subscriber: Subscriber) => void,
  ) {
    this.#deps = deps;
    this.#follower = follower;
    this.#subscription = subscription;
    this.#onClose = onClose;
    this.#cursor = subscription.after;
  }

  take(most: number): readonly LoggedEvent[] | null {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#closed) return null;
    if (this.#catchingUp) return [];
    const events = this.#takeFromPage(most);
    if (events.length === 0 && this.#tail !== null) this.#takeFromTail(this.#tail, events, most);
    if (events.length === 0 && this.#tail === null) void this.#catchUp();
    return events;
  }

  onReady(wake: () => Promise<void> | null): void {
    this.#reader.onReady(wake);
  }

  wake(): Promise<void> | null {
    return this.#reader.wake();
  }

  next(): Promise<IteratorResult<LoggedEvent, undefined>> {
    return this.#reader.next();
  }

  return(): Promise<IteratorResult<LoggedEvent, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#page = [];
    this.#fallBehind();
    this.#onClose(this);
    void this.wake();
  }

  #takeFromPage(most: number): LoggedEvent[] {
    const events: LoggedEvent[] = [];
    while (this.#taken < this.#page.length && events.length < most) {
      const event = this.#page[this.#taken++];
      if (event !== undefined && this.#isNew(event)) events.push(event);
    }
    if (this.#taken === this.#page.length) {
      this.#page = [];
      this.#taken = 0;
    }
    return events;
  }

  #takeFromTail(tail: Tail, into: LoggedEvent[], most: number): void {
    if (this.#next < tail.start) return this.#fallBehind();
    while (this.#next < tail.end && into.length < most) {
      const event = tail.at(this.#next++);
      if (event !== undefined && this.#isNew(event) && matches(this.#subscription, event)) into.push(event);
    }
  }

  #isNew({ position }: LoggedEvent): boolean {
    if (this.#cursor !== null && comparePositions(position, this.#cursor) <= 0) return false;
    this.#cursor = position;
    return true;
  }

  #goLive(): void {
    this.#tail = this.#follower.attach(this.#subscription.serverId, this);
    this.#next = this.#tail.end;
  }

  #fallBehind(): void {
    if (this.#tail === null) return;
    this.#tail = null;
    this.#follower.detach(this.#subscription.serverId, this);
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true;
    for (let tried = 1; !this.#closed; tried++) {
      try {
        await this.#readOn();
        break;
      } catch (error) {
        this.#fallBehind();
        this.#deps.log.warn({ error, tried }, 'a subscriber could not read the event log');
        if (tried === RETRIES.times) this.#failure = { error };
        if (tried === RETRIES.times) break;
        await this.#deps.clock.sleep(RETRIES.everyMs, this.#follower.signal);
      }
    }
    this.#catchingUp = false;
    void this.wake();
  }

  /** Reads the next page; goes live with the page that reaches the horizon. */
  async #readOn(): Promise<void> {
    this.#cursor ??= await readHorizon(this.#deps.db);
    const page = await this.#readPage(this.#cursor);
    if (page.events.length < PAGE && !this.#closed) {
      this.#goLive();
      await this.#follower.anchored;
      const last = await this.#readPage(page.events.at(-1)?.position ?? this.#cursor);
      // Full again: the log has what comes after these.
      if (last.events.length === PAGE) this.#fallBehind();
      this.#page = [...page.events, ...last.events];
    } else this.#page = page.events;
    if (this.#closed) {
      this.#page = [];
      this.#fallBehind();
    }
  }

  #readPage(after: LogPosition): Promise<LogPage> {
    const { db, clock } = this.#deps;
    return readServerLog(db, this.#subscription, after, this.#subscription.filter, PAGE, bucketAt(clock.now(), 0));
  }
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
