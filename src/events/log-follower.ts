// The one reader of a node: follows the log of the whole installation while somebody is attached, and keeps each event for
// those that are attached to its server.
import type { Database } from '#/db/client.ts';
import type { Channel, Clock, Log } from '#/runtime/ports.ts';
import type { LogPosition, LoggedEvent } from './catalogue.ts';
import { readHorizon, readLog } from './log.ts';
import { RecentEvents, type Tail } from './recent-events.ts';

const READ_LIMIT = 1_000;
/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 500;
/**
 * Between two reads it rests this many times as long as the last one took: while hundreds commit every second a read for
 * each would take from them what they need themselves (a quarter of their processor time, measured). An event after a
 * quiet moment is read at once.
 */
const BREATH = { times: 16, mostMs: 25 } as const;
/** When committed events wait for an older transaction to end: at once again, then less and less often. */
const PENDING_MS = { first: 2, most: 50 } as const;
/**
 * How long the next page may wait until this one is handed on. Where more is published than can be handed on, all are
 * late together and the log keeps what is to come; without it they would run out of memory's end of the log, and each
 * would read it alone. An end, because one whose document waits for the database must not hold up everybody.
 */
const HAND_ON_MS = 250;

export interface Deps {
  readonly db: Database;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Listener {
  /** There is more in the tail. The answer, if any, settles when it has been handed on. */
  wake(): Promise<void> | null;
}

/**
 * States: idle (nobody attached, no position) and following. Whoever attaches must wait for `anchored` before reading the
 * log itself for the last time, or rows between that read's horizon and the reader's first would be nobody's.
 */
export class LogFollower implements AsyncDisposable {
  readonly #deps: Deps;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #recent = new RecentEvents();
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  readonly #running: Promise<void>;
  #attached = 0;
  #position: LogPosition | null = null;
  #pause: number = POLL_MS;
  /** Of the last read, on the monotonic clock. */
  #last = { ms: 0, end: 0 };
  #wakeUp = Promise.withResolvers<void>();
  #anchored = Promise.withResolvers<void>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#stopListening = deps.channel.on('events', () => this.#wakeUp.resolve());
    this.#running = this.#follow();
  }

  /** Settled while the reader has a position. */
  get anchored(): Promise<void> {
    return this.#anchored.promise;
  }

  /** Aborts at the end. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Where everything of the server is that is handed out from now on. */
  attach(serverId: string, listener: Listener): Tail {
    const ofServer = this.#listeners.get(serverId) ?? new Set();
    this.#listeners.set(serverId, ofServer.add(listener));
    if (++this.#attached === 1) this.#wakeUp.resolve();
    return this.#recent.tailOf(serverId);
  }

  detach(serverId: string, listener: Listener): void {
    const ofServer = this.#listeners.get(serverId);
    if (ofServer?.delete(listener) !== true) return;
    this.#attached--;
    if (ofServer.size > 0) return;
    this.#listeners.delete(serverId);
    this.#recent.forget(serverId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#stopListening();
    this.#wakeUp.resolve();
    this.#anchored.resolve();
    await this.#running;
  }

  async #follow(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#wakeUp = Promise.withResolvers<void>();
      if (this.#attached === 0) {
        this.#forgetPosition();
        await this.#wakeUp.promise;
        continue;
      }
      const more = await this.#read().catch((error: unknown) => {
        this.#deps.log.warn({ error }, 'the event log could not be read; trying again');
        return false;
      });
      if (!more) await this.#rest();
    }
  }

  /** Nobody is attached: the next one begins at the horizon of its own time. */
  #forgetPosition(): void {
    if (this.#position === null) return;
    this.#position = null;
    this.#anchored = Promise.withResolvers<void>();
  }

  /** Reads and hands out one page; true when there may be another at once. */
  async #read(): Promise<boolean> {
    const { db, clock } = this.#deps;
    this.#position ??= await readHorizon(db);
    this.#anchored.resolve();
    const startedAt = clock.monotonic();
    const page = await readLog(db, this.#position, READ_LIMIT);
    const end = clock.monotonic();
    this.#last = { ms: end - startedAt, end };
    const last = page.events.at(-1);
    const full = last !== undefined && page.events.length === READ_LIMIT;
    // Before anything is handed out: what is in the tails must not be read again, whatever happens to those that have it.
    // Below the horizon nothing can come any more: the next read starts there.
    this.#position = full ? last.position : page.horizon;
    await this.#handOut(page.events);
    if (full) return true;
    const waited = this.#pause < POLL_MS && page.events.length === 0;
    const pending = waited ? Math.min(this.#pause * 2, PENDING_MS.most) : PENDING_MS.first;
    this.#pause = page.pending ? pending : POLL_MS;
    return false;
  }

  async #handOut(events: readonly LoggedEvent[]): Promise<void> {
    const servers = new Set<string>();
    for (const event of events) if (this.#recent.add(event)) servers.add(event.serverId);
    // Many answer with the same promise.
    const handedOn = new Set<Promise<void>>();
    for (const serverId of servers) {
      for (const listener of this.#listeners.get(serverId) ?? []) {
        const done = listener.wake();
        if (done !== null) handedOn.add(done);
      }
    }
    if (handedOn.size > 0) await this.#within(HAND_ON_MS, Promise.all(handedOn));
  }

  async #rest(): Promise<void> {
    await this.#within(this.#pause, this.#wakeUp.promise);
    const { clock } = this.#deps;
    const { ms, end } = this.#last;
    const left = Math.min(ms * BREATH.times, BREATH.mostMs) - (clock.monotonic() - end);
    if (left > 0) await clock.sleep(left, this.#closing.signal);
  }

  /** Until it settles, or so long at most. */
  async #within(ms: number, promise: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, over.signal]);
    await Promise.race([promise, this.#deps.clock.sleep(ms, signal)]);
    over.abort(null);
  }
}
