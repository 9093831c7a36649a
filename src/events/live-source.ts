// What is followed: item by item, or all that waits at once, for whoever feeds many.

/** Hand-written on purpose: return() settles a next() that waits, which an async generator cannot. */
export interface LiveSource<T> extends AsyncIterableIterator<T> {
  /**
   * What waits, in order and at most so much; empty when nothing does, null when it has ended. Throws when it failed for
   * good. Whoever takes does not call next().
   */
  take(most: number): readonly T[] | null;
  /**
   * After take() gave nothing, `wake` is called when it may give something, or has ended. Its answer, if any, settles when
   * that has been handed on.
   */
  onReady(wake: () => Promise<void> | null): void;
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
}

export function isLiveSource(source: AsyncIterable<unknown>): source is LiveSource<unknown> {
  return 'take' in source && 'onReady' in source;
}

/** The same source, some of which is done otherwise. */
export function like<T>(
  source: LiveSource<T>,
  otherwise: Partial<Pick<LiveSource<T>, 'take' | 'next' | 'return'>>,
): LiveSource<T> {
  const made: LiveSource<T> = {
    take: (most) => source.take(most),
    onReady: (wake) => source.onReady(wake),
    next: () => source.next(),
    return: () => source.return(),
    async throw(error) {
      await made.return();
      throw error;
    },
    [Symbol.asyncIterator]: () => made,
    ...otherwise,
  };
  return made;
}
