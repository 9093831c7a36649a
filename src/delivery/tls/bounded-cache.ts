// Answers by name, each for its time, asked for once however many wait; the oldest goes when there are too many. What is
// stale and may still be used is used, and asked for anew meanwhile.
import type { Clock } from '#/runtime/ports.ts';

export interface Kept<T> {
  readonly answer: T;
  /** Milliseconds until it is asked for anew. */
  readonly freshMs: number;
  /** And for which it may be used after that, while it is asked for. */
  readonly usableMs?: number;
}

interface Entry<T> {
  readonly answer: T;
  readonly freshUntil: number;
  readonly usableUntil: number;
}

export class BoundedCache<T> {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limit: number;
  readonly #ask: (name: string) => Promise<Kept<T>>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #asking = new Map<string, Promise<T>>();

  constructor(clock: Pick<Clock, 'monotonic'>, limit: number, ask: (name: string) => Promise<Kept<T>>) {
    this.#clock = clock;
    this.#limit = limit;
    this.#ask = ask;
  }

  get(name: string): T | Promise<T> {
    const known = this.#entries.get(name);
    const now = this.#clock.monotonic();
    if (known !== undefined && known.freshUntil > now) return known.answer;
    const asking = this.#asking.get(name) ?? this.#begin(name);
    if (known === undefined || known.usableUntil <= now) return asking;
    asking.catch(() => {});
    return known.answer;
  }

  forget(): void {
    this.#entries.clear();
  }

  #begin(name: string): Promise<T> {
    const asking = this.#keep(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  async #keep(name: string): Promise<T> {
    const { answer, freshMs, usableMs = 0 } = await this.#ask(name);
    const freshUntil = this.#clock.monotonic() + freshMs;
    // Deleted first, so that a renewed entry counts as young: a Map keeps the order of insertion.
    this.#entries.delete(name);
    this.#entries.set(name, { answer, freshUntil, usableUntil: freshUntil + usableMs });
    if (this.#entries.size > this.#limit) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return answer;
  }
}
