// A clock that stands still until a test moves it.
import { systemClock } from '#/runtime/clock.ts';
import type { Clock } from '#/runtime/ports.ts';

/** Test databases stand ready for the weeks after it (global-setup.ts). */
export const FAKE_START = new Date('2026-01-05T12:00:00.000Z');

interface Sleeper {
  readonly at: number;
  wake(): void;
}

export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start = FAKE_START) {
    this.#start = start.getTime();
    this.#now = this.#start;
  }

  now(): Date {
    return new Date(this.#now);
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** How many wait, so that a test can tell that a loop has come to rest. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  /** Wakes in order of time; who sleeps again within the span is woken again. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#nextUntil(end); next !== undefined; next = this.#nextUntil(end)) {
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** As after a long sleep of the machine: whoever was due wakes once, and sees that it is later than he thought. */
  async leap(ms: number): Promise<void> {
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#now) sleeper.wake();
    await settle();
  }

  #nextUntil(end: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.at <= end && (first === undefined || sleeper.at < first.at)) first = sleeper;
    }
    return first;
  }
}

/** Lets what was woken run until it waits for something else than promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Real time in which what a turn of the clock began is waited for; some of it may be meant to hang. */
const TURN_MS = 200;

/**
 * Moves a clock, and lets those who were woken come to rest before it is moved again: on a busy machine time would else
 * run ahead of the work. `busy`: of what takes long and does not sleep meanwhile, how much is under way.
 */
export async function turn(clock: FakeClock, ms: number, busy: () => number = () => 0): Promise<void> {
  const before = { sleepers: clock.sleepers, busy: busy() };
  await clock.advance(ms);
  const end = performance.now() + TURN_MS;
  do await systemClock.sleep(10);
  while ((clock.sleepers < before.sleepers || busy() > before.busy) && performance.now() < end);
}
