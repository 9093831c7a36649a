// How one who waits for a source's next() is served where the source is written as take(): the part that all sources share.
import type { LiveSource } from './live-source.ts';

export class WaitingReader<T> {
  readonly #take: (most: number) => readonly T[] | null;
  #onReady: (() => Promise<void> | null) | null = null;
  #waiting: PromiseWithResolvers<void> | null = null;

  constructor(take: (most: number) => readonly T[] | null) {
    this.#take = take;
  }

  onReady(wake: () => Promise<void> | null): void {
    this.#onReady = wake;
  }

  /** There may be something to take, or the source has ended. */
  wake(): Promise<void> | null {
    this.#waiting?.resolve();
    return this.#onReady?.() ?? null;
  }

  async next(): ReturnType<LiveSource<T>['next']> {
    for (;;) {
      const taken = this.#take(1);
      if (taken === null) return { done: true, value: undefined };
      const [item] = taken;
      if (item !== undefined) return { done: false, value: item };
      this.#waiting = Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
  }
}
