// Collects what comes while a batch is under way, and runs it as the next one: under load many share a transaction,
// alone an item waits for nobody.

export interface Batcher<T, R> {
  add(item: T): Promise<R>;
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>;
}

/**
 * `run` answers in the order of its items; when it throws, all of the batch get the error. `gather`: awaited before a
 * batch that is not full, where larger ones are worth a wait; null: not now.
 */
export function createBatcher<T, R>(
  maxItems: number,
  run: (items: readonly T[]) => Promise<readonly R[]>,
  gather: () => Promise<void> | null = () => null,
): Batcher<T, R> {
  let waiting: {
    readonly item: T;
    readonly resolve: (result: R) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  let running: Promise<void> | null = null;

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const wait = waiting.length < maxItems ? gather() : null;
      if (wait !== null) await wait;
      const batch = waiting.slice(0, maxItems);
      waiting = waiting.slice(maxItems);
      try {
        const results = await run(batch.map(({ item }) => item));
        // The runs of this module answer each item; R may be undefined.
        batch.forEach(({ resolve }, index) => resolve(results[index] as R));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = null;
  };

  return {
    add(item) {
      return new Promise<R>((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        // In the next turn, so that what is added in this one shares the first batch.
        running ??= new Promise<void>((begin) => setImmediate(begin)).then(work);
      });
    },
    async idle() {
      while (running !== null) await running;
    },
  };
}
