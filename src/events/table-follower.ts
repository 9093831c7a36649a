// One who follows rows of a table, as they come: reads a page when the last one was taken, and looks again when told or by
// itself. For what comes seldom and has few followers; events have the log's follower (log-follower.ts).
import type { Channel, Clock, Log, Topic } from '#/runtime/ports.ts';
import type { LiveSource } from './live-source.ts';
import { WaitingReader } from './waiting-reader.ts';

/** Looks by itself this often, should a wake-up be lost. */
const POLL_MS = 2_000;
/** What is committed waits for older transactions to end. */
const PENDING_MS = 20;
/** While the database is away; then it fails. */
const RETRIES = { times: 30, everyMs: 1_000 } as const;

export interface TablePage<T> {
  readonly items: readonly T[];
  /** There may be more in a moment. */
  readonly pending: boolean;
}

export interface TableDeps {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly log: Log;
}

/** States: taken from (items wait) → empty: reads and rests in turns until there are some → …; closed, or failed for good. */
export class TableFollower<T> implements LiveSource<T> {
  readonly #deps: TableDeps;
  readonly #read: () => Promise<TablePage<T>>;
  readonly #reader = new WaitingReader<T>((most) => this.take(most));
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  #items: readonly T[] = [];
  #reading = false;
  #failure: { readonly error: unknown } | null = null;
  #told = Promise.withResolvers<void>();

  /** `read` answers what has come since it was asked last. */
  constructor(deps: TableDeps, topic: Topic, read: () => Promise<TablePage<T>>) {
    this.#deps = deps;
    this.#read = read;
    this.#stopListening = deps.channel.on(topic, () => this.#told.resolve());
  }

  take(most: number): readonly T[] | null {
    if (this.#failure !== null) throw this.#failure.error;
    if (this.#closed) return null;
    const taken = this.#items.slice(0, most);
    this.#items = this.#items.slice(taken.length);
    if (taken.length === 0 && !this.#reading) void this.#fill();
    return taken;
  }

  onReady(wake: () => Promise<void> | null): void {
    this.#reader.onReady(wake);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#reader.next();
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#stopListening();
    this.#closing.abort();
    this.#items = [];
    this.#told.resolve();
    void this.#reader.wake();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #fill(): Promise<void> {
    this.#reading = true;
    for (let tried = 1; !this.#closed && this.#items.length === 0 && this.#failure === null; ) {
      // Before the read: whoever tells during it tells of what it may not have seen.
      this.#told = Promise.withResolvers<void>();
      try {
        const { items, pending } = await this.#read();
        tried = 1;
        if (items.length === 0) await this.#rest(pending ? PENDING_MS : POLL_MS);
        else if (!this.#closed) this.#items = items;
      } catch (error) {
        this.#deps.log.warn({ error, tried }, 'a follower could not read its table');
        if (tried++ === RETRIES.times) this.#failure = { error };
        else await this.#deps.clock.sleep(RETRIES.everyMs, this.#closing.signal);
      }
    }
    this.#reading = false;
    void this.#reader.wake();
  }

  async #rest(ms: number): Promise<void> {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#closing.signal]);
    await Promise.race([this.#told.promise, this.#deps.clock.sleep(ms, signal)]);
    done.abort();
  }
}
