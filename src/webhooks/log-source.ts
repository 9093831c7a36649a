// The events of one endpoint, from the log: read ahead a little, in the log's order, until it is closed.
import type { LogPosition, LoggedEvent } from '#/events/catalogue.ts';
import type { EventFeed } from '#/events/feed.ts';
import type { LiveSource } from '#/events/live-source.ts';
import type { EventFilter } from '#/events/log.ts';
import type { Clock, Log } from '#/runtime/ports.ts';

/** Events that wait in memory for one endpoint. */
const READ_AHEAD = 100;
const PAUSE_MS = 1_000;

export interface LogSourceOptions {
  readonly feed: EventFeed;
  readonly clock: Clock;
  readonly log: Log;
  readonly accountId: string;
  readonly serverId: string;
  readonly filter: EventFilter;
  readonly after: LogPosition;
  /** Something has come. */
  onEvent(): void;
}

export class LogSource {
  readonly #options: LogSourceOptions;
  readonly #closing = new AbortController();
  readonly #events: LoggedEvent[] = [];
  #position: LogPosition;
  #iterator: LiveSource<LoggedEvent> | null = null;
  #room = Promise.withResolvers<void>();

  constructor(options: LogSourceOptions) {
    this.#options = options;
    this.#position = options.after;
    void this.#run();
  }

  get waiting(): number {
    return this.#events.length;
  }

  /** Looks, and does not take: what is taken must first be on record. */
  peek(most: number): readonly LoggedEvent[] {
    return this.#events.slice(0, most);
  }

  drop(count: number): void {
    this.#events.splice(0, count);
    this.#room.resolve();
  }

  close(): void {
    this.#closing.abort();
    this.#room.resolve();
    void this.#iterator?.return();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#closed) {
      try {
        await this.#follow();
      } catch (error) {
        log.warn({ error }, 'the log could not be read for a webhook; trying again');
      } finally {
        await this.#iterator?.return();
        this.#iterator = null;
      }
      await clock.sleep(PAUSE_MS, this.#closing.signal);
    }
  }

  async #follow(): Promise<void> {
    const { feed, accountId, serverId, filter, onEvent } = this.#options;
    const iterator = feed.subscribe({ accountId, serverId, streamId: null, filter, after: this.#position });
    this.#iterator = iterator;
    while (!this.#closed) {
      if (this.#events.length >= READ_AHEAD) {
        this.#room = Promise.withResolvers<void>();
        await this.#room.promise;
        continue;
      }
      const { done, value } = await iterator.next();
      if (done === true) return;
      this.#position = value.position;
      this.#events.push(value);
      onEvent();
    }
  }
}
