// Reading a message takes as long as who sent it likes, unless somebody looks at the clock.
import type { Clock } from '#/runtime/ports.ts';

/** The worst that the fuzzer has found takes half a second; the rest is a machine under load. */
const MOST_MS = 15_000;
/** Given to abort: without one it makes an error with its stack for each message, which nobody looks at. */
const IN_TIME = 'in time';

export async function withinTime<T>(clock: Clock, read: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  void clock.sleep(MOST_MS, done.signal).then(() => late.abort(new Error('reading a message took too long')));
  try {
    return await read(late.signal);
  } finally {
    done.abort(IN_TIME);
  }
}
