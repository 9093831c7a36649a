// Lets a burst of lookups out a few at a time: a thousand queries in one moment overflow the resolver's buffer, and those that
// are lost look like domains without policy. Who is slow counts for a moment alone, so that nobody stands behind it for long.
import type { Clock } from '#/runtime/ports.ts';

export interface TurnstileOptions {
  readonly atOnce: number;
  /** After this one that has no answer yet makes room for another. */
  readonly holdMs: number;
}

export class Turnstile {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #options: TurnstileOptions;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(clock: Pick<Clock, 'sleep'>, options: TurnstileOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#options.atOnce) await new Promise<void>((enter) => this.#waiting.push(enter));
    else this.#inside++;
    const working = work();
    void this.#leave(working);
    return working;
  }

  async #leave(working: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    const ended = working.then(
      () => done.abort(),
      () => done.abort(),
    );
    await Promise.race([ended, this.#clock.sleep(this.#options.holdMs, done.signal)]);
    // The place goes to the next in line; the count stays.
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}
