// What a subscription hands on, each item with a context of its own.
import { initContextCache } from '@pothos/core';
import type { Context } from './context.ts';

/**
 * Loaders and scope decisions are kept with the context, and a subscription has one for all its events: they are thrown
 * away with each event, or the second event would show the rows and rights of the first. Hand-written: an async generator
 * that waits in next() cannot be ended.
 */
export function freshForEach<T>(context: Context, source: AsyncIterableIterator<T>): AsyncIterableIterator<T> {
  const iterator: AsyncIterableIterator<T> = {
    async next() {
      const result = await source.next();
      Object.assign(context, initContextCache());
      return result;
    },
    async return() {
      return (await source.return?.()) ?? { done: true, value: undefined };
    },
    async throw(error) {
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
