// A live source by hand: each follower has its own place in one list, as in the event log.
import type { LiveSource } from '#/events/live-source.ts';

export interface Tick {
  readonly id: number;
  readonly text: string;
}

export class Ticks {
  readonly #ticks: Tick[] = [];
  readonly #wakes = new Set<() => void>();
  /** Followers that are open. */
  open = 0;
  /** Executions so far, of the field `text`. */
  executed = 0;

  /** The same object for all: as the follower of a node hands events out. */
  push(...texts: readonly string[]): void {
    for (const text of texts) this.#ticks.push({ id: this.#ticks.length, text });
    for (const wake of this.#wakes) wake();
  }

  follow(): LiveSource<Tick> {
    this.open++;
    let at = this.#ticks.length;
    let closed = false;
    let ready = () => {};
    const wake = () => ready();
    this.#wakes.add(wake);
    const source: LiveSource<Tick> = {
      take: (most) => {
        const taken = this.#ticks.slice(at, at + most);
        at += taken.length;
        return taken;
      },
      onReady(callback) {
        ready = () => void callback();
      },
      next: () => Promise.reject(new Error('taken from, not asked')),
      return: () => {
        if (!closed) this.open--;
        closed = true;
        this.#wakes.delete(wake);
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => source,
    };
    return source;
  }
}
