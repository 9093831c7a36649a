// The one timer of a connection. A session waits many thousand times and hardly ever in vain, so waiting must not cost a
// timer each: arming only writes down when the wait ends, and the timer looks at that when it fires.

import type { Clock } from '../ports.ts';

/**
 * States: no timer; timer set and a wait is on (`due` is finite); timer set and no wait is on (it fires once for nothing).
 * Invariant: while a wait is on, the timer fires no later than `due`.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | null = null;
  #setAt = 0;
  #firesAt = 0;
  #due = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  arm(ms: number): void {
    const now = this.#clock.monotonic();
    this.#due = now + ms;
    // A clock that did not move since the timer was set is either very recent or a test's that stands still: the time
    // that passed since then is unknown, so the timer starts anew.
    if (this.#timer === null || this.#due < this.#firesAt || now === this.#setAt) this.#set(now, ms);
  }

  disarm(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  stop(): void {
    this.disarm();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #set(now: number, ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#setAt = now;
    this.#firesAt = now + ms;
    this.#timer = setTimeout(this.#fire, ms);
    // The socket keeps the process alive where anything does; a timer left over from a finished wait must not.
    this.#timer.unref();
  }

  readonly #fire = (): void => {
    this.#timer = null;
    if (this.#due === Number.POSITIVE_INFINITY) return;
    // Timers may fire a fraction of a millisecond before the clock agrees.
    const now = Math.max(this.#clock.monotonic(), this.#firesAt);
    if (now < this.#due) {
      this.#set(now, this.#due - now);
      return;
    }
    this.#due = Number.POSITIVE_INFINITY;
    this.#onDue();
  };
}
