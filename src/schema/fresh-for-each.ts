// What a subscription hands on, each item with a context of its own.
import { initContextCache } from '@pothos/core';
import { like, type LiveSource } from '#/resolvers/define.ts';
import type { Context } from './context.ts';

/**
 * Loaders and scope decisions are kept with the context, and a subscription has one for all its events: they are thrown
 * away with each event, or the second event would show the rows and rights of the first. Who takes many at once brings a
 * fresh context for them.
 */
export function freshForEach<T>(context: Context, source: LiveSource<T>): LiveSource<T> {
  return like(source, {
    async next() {
      const result = await source.next();
      Object.assign(context, initContextCache());
      return result;
    },
  });
}
