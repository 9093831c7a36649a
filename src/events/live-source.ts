// What is followed: item by item, or all that waits at once, for whoever feeds many.

/** Hand-written on purpose: return() settles a next() that waits, which an async generator cannot. */
export interface LiveSource<T> extends AsyncIterableIterator<T> {
  /**
   * What waits, in order and at most so much; empty when nothing does, or when it has ended. Throws when it failed for
   * good. Whoever takes does not call next().
   */
  take(most: number): readonly T[];
  /** After take() gave nothing, `wake` is called when it may give something. Its answer, if any, settles when that has been handed on. */
  onReady(wake: () => Promise<void> | null): void;
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
}

export function isLiveSource(source: AsyncIterable<unknown>): source is LiveSource<unknown> {
  return 'take' in source && 'onReady' in source;
}
