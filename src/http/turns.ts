// Whoever has something to hand on waits here for its turn. Thousands of subscribers take longer than others should wait for
// an answer, so the process looks after everything else in between.
import type { Clock } from '#/runtime/ports.ts';

const SLICE_MS = 5;

export interface Turn {
  /** Hands on some of what waits; true: there is more. */
  take(): boolean;
}

/** Those who have their turn until none of them has more; who asks meanwhile belongs to the next. */
interface Round {
  readonly waiting: Set<Turn>;
  readonly over: PromiseWithResolvers<void>;
}

export class Turns {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #current = newRound();
  #next = newRound();
  #scheduled = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Settles when it, and all who wait with it, have handed on what they had. */
  ask(turn: Turn): Promise<void> {
    this.#schedule();
    if (this.#current.waiting.has(turn)) return this.#current.over.promise;
    this.#next.waiting.add(turn);
    return this.#next.over.promise;
  }

  /** It has nothing to hand on any more. */
  cancel(turn: Turn): void {
    this.#current.waiting.delete(turn);
    this.#next.waiting.delete(turn);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#slice());
  }

  #slice(): void {
    this.#scheduled = false;
    if (this.#current.waiting.size === 0) {
      this.#current = this.#next;
      this.#next = newRound();
    }
    const { waiting, over } = this.#current;
    const end = this.#clock.monotonic() + SLICE_MS;
    for (const turn of waiting) {
      waiting.delete(turn);
      // At the end of the line: the loop comes to it again.
      if (turn.take()) waiting.add(turn);
      if (this.#clock.monotonic() >= end) break;
    }
    if (waiting.size === 0) over.resolve();
    if (waiting.size > 0 || this.#next.waiting.size > 0) this.#schedule();
  }
}

function newRound(): Round {
  return { waiting: new Set(), over: Promise.withResolvers() };
}
