// How long the event loop of this thread is held at a time, in processor time of the thread alone: a busy machine, and what
// other threads do meanwhile, do not count.

const TICK_MS = 1;

export interface LoopWatch extends Disposable {
  /** Milliseconds of the longest hold since the beginning, or since the last look. */
  take(): number;
}

/** Between two ticks of a timer lies one turn of the loop, or what little of one a tick takes. */
export function watchLoop(): LoopWatch {
  let last = used();
  let longest = 0;
  const look = () => {
    const now = used();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, TICK_MS);
  return {
    take() {
      look();
      const held = longest;
      longest = 0;
      return held;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function used(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
