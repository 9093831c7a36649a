// Time limits of running requests: one sleeping loop looks after all of them instead of a timer for each.
import type { Clock } from '#/runtime/ports.ts';

export const REQUEST_TIMEOUT_MS = 15_000;
/** How much later than its time a request may be ended. */
const RESOLUTION_MS = 500;

export interface Deadline {
  readonly controller: AbortController;
  readonly at: number;
}

export class Deadlines {
  readonly #clock: Clock;
  /** In the order of their times, since all have the same span. */
  readonly #running = new Set<Deadline>();
  #watching = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): Deadline {
    const deadline = { controller: new AbortController(), at: this.#clock.monotonic() + REQUEST_TIMEOUT_MS };
    this.#running.add(deadline);
    if (!this.#watching) void this.#watch();
    return deadline;
  }

  done(deadline: Deadline): void {
    this.#running.delete(deadline);
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    for (;;) {
      await this.#clock.sleep(RESOLUTION_MS);
      const now = this.#clock.monotonic();
      for (const deadline of this.#running) {
        if (deadline.at > now) break;
        this.#running.delete(deadline);
        deadline.controller.abort(timedOut);
      }
      if (this.#running.size === 0) break;
    }
    this.#watching = false;
  }
}

/** The reason with which the signals abort. */
export const timedOut = new Error(`Not finished within ${REQUEST_TIMEOUT_MS / 1_000} seconds.`);
