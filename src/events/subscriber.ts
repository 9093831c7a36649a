// One subscriber to the log of one server. In one of two modes:
//
//   behind — reads pages of its server's log after its cursor. Before the last page it attaches to the follower, so that
//            nothing falls between: what the follower handed out before was below that page's horizon, what it hands out
//            after is in the buffer; the overlap is told by position and dropped.
//   live   — fed from its buffer. A buffer that would overflow is thrown away: behind again, at its cursor.
//
// So memory is bounded by the buffer, order is the log's, and nothing is missed or seen twice.
import { bucketAt } from '#/domain/retention.ts';
import { comparePositions, type LogPosition, type LoggedEvent } from './catalogue.ts';
import { type EventFilter, type LogPage, readHorizon, readServerLog } from './log.ts';
import type { Deps, Listener, LogFollower } from './log-follower.ts';

/** Events that wait for one live subscriber: some seconds of a busy server, and a few hundred KB at most. */
const BUFFER = 1_000;
const PAGE = 500;

export interface Subscription {
  readonly accountId: string;
  readonly serverId: string;
  /** The one stream that the caller is bound to. */
  readonly streamId: string | null;
  readonly filter: EventFilter;
  /** Null: from now. */
  readonly after: LogPosition | null;
}

export class Subscriber implements Listener {
  readonly #deps: Pick<Deps, 'db' | 'clock'>;
  readonly #follower: LogFollower;
  readonly #subscription: Subscription;
  #buffer: LoggedEvent[] = [];
  #cursor: LogPosition | null;
  #live = false;
  #closed = false;
  #waiting: PromiseWithResolvers<void> | null = null;

  constructor(deps: Pick<Deps, 'db' | 'clock'>, follower: LogFollower, subscription: Subscription) {
    this.#deps = deps;
    this.#follower = follower;
    this.#subscription = subscription;
    this.#cursor = subscription.after;
  }

  /** From the follower. A full buffer means a slow reader: it goes on from the log, at its own pace. */
  offer(event: LoggedEvent): void {
    if (!matches(this.#subscription, event)) return;
    if (this.#buffer.length >= BUFFER) this.#fallBehind();
    else this.#buffer.push(event);
    this.#waiting?.resolve();
  }

  /** Null once closed. */
  async next(): Promise<LoggedEvent | null> {
    while (!this.#closed) {
      const event = this.#buffer.shift();
      if (event !== undefined) {
        if (this.#cursor !== null && comparePositions(event.position, this.#cursor) <= 0) continue;
        this.#cursor = event.position;
        return event;
      }
      if (this.#live) {
        this.#waiting = Promise.withResolvers<void>();
        await this.#waiting.promise;
      } else await this.#catchUp();
    }
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fallBehind();
    this.#waiting?.resolve();
  }

  #goLive(): void {
    this.#live = true;
    this.#follower.attach(this.#subscription.serverId, this);
  }

  #fallBehind(): void {
    this.#buffer = [];
    if (!this.#live) return;
    this.#live = false;
    this.#follower.detach(this.#subscription.serverId, this);
  }

  /** Takes the next page into the buffer; goes live with the page that reaches the horizon. */
  async #catchUp(): Promise<void> {
    this.#cursor ??= await readHorizon(this.#deps.db);
    const page = await this.#readPage(this.#cursor);
    if (this.#closed) return;
    if (page.events.length === PAGE) {
      this.#buffer = [...page.events];
      return;
    }
    this.#goLive();
    await this.#follower.anchored;
    const last = await this.#readPage(page.events.at(-1)?.position ?? this.#cursor);
    const offered = this.#buffer;
    // Full again, or overflowed meanwhile: the log has what comes after these.
    if (last.events.length === PAGE || !this.#live) this.#fallBehind();
    if (!this.#closed) this.#buffer = [...page.events, ...last.events, ...(this.#live ? offered : [])];
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
