// The one reader of a node: follows the log of the whole installation while somebody is attached, and hands each event
// to those that are attached to its server.
import type { Database } from '#/db/client.ts';
import type { Channel, Clock, Log } from '#/runtime/ports.ts';
import type { LogPosition, LoggedEvent } from './catalogue.ts';
import { readHorizon, readLog } from './log.ts';

const READ_LIMIT = 1_000;
/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 500;
/** When committed events wait for an older transaction to end: at once again, then less and less often. */
const PENDING_MS = { first: 2, most: 50 } as const;

export interface Deps {
  readonly db: Database;
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Listener {
  offer(event: LoggedEvent): void;
}

/**
 * States: idle (nobody attached, no position) and following. Whoever attaches must wait for `anchored` before reading the
 * log itself for the last time, or rows between that read's horizon and the reader's first would be nobody's.
 */
export class LogFollower implements AsyncDisposable {
  readonly #deps: Deps;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  readonly #running: Promise<void>;
  #attached = 0;
  #position: LogPosition | null = null;
  #pause: number = POLL_MS;
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

  attach(serverId: string, listener: Listener): void {
    const ofServer = this.#listeners.get(serverId) ?? new Set();
    this.#listeners.set(serverId, ofServer.add(listener));
    if (++this.#attached === 1) this.#wakeUp.resolve();
  }

  detach(serverId: string, listener: Listener): void {
    const ofServer = this.#listeners.get(serverId);
    if (ofServer?.delete(listener) !== true) return;
    if (ofServer.size === 0) this.#listeners.delete(serverId);
    this.#attached--;
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
    const { db } = this.#deps;
    this.#position ??= await readHorizon(db);
    this.#anchored.resolve();
    const page = await readLog(db, this.#position, READ_LIMIT);
    for (const event of page.events) {
      for (const listener of this.#listeners.get(event.serverId) ?? []) listener.offer(event);
    }
    const last = page.events.at(-1);
    if (last !== undefined && page.events.length === READ_LIMIT) {
      this.#position = last.position;
      return true;
    }
    // Below the horizon nothing can come any more: the next read starts there.
    this.#position = page.horizon;
    const waited = this.#pause < POLL_MS && page.events.length === 0;
    const pending = waited ? Math.min(this.#pause * 2, PENDING_MS.most) : PENDING_MS.first;
    this.#pause = page.pending ? pending : POLL_MS;
    return false;
  }

  async #rest(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, over.signal]);
    await Promise.race([this.#wakeUp.promise, this.#deps.clock.sleep(this.#pause, signal)]);
    over.abort(null);
  }
}
