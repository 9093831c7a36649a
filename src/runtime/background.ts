// Work that is begun when its cause has been answered: nobody waits for it but the end of the process.
import type { Background, Log } from './ports.ts';

export function createBackground(log: Log): Background {
  const running = new Set<Promise<void>>();
  const settled = async (): Promise<void> => {
    while (running.size > 0) await Promise.all(running);
  };
  return {
    start(what, run) {
      // Not at once: what it computes must not lengthen the answer, which would tell that there was something to do.
      const begun = new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      const work = begun
        .then(run)
        .catch((error: unknown) => log.error({ error, what }, 'work in the background failed'))
        .finally(() => running.delete(work));
      running.add(work);
    },
    settled,
    [Symbol.asyncDispose]: settled,
  };
}
