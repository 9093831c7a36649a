// The machine's clock.
import type { Clock } from './ports.ts';

/** setTimeout treats anything longer as 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const end = performance.now() + ms;
      let timer: NodeJS.Timeout | undefined;
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const wait = () => {
        const left = Math.max(end - performance.now(), 0);
        timer = left > LONGEST_TIMER_MS ? setTimeout(wait, LONGEST_TIMER_MS) : setTimeout(wake, left);
      };
      signal?.addEventListener('abort', wake, { once: true });
      wait();
    });
  },
};
