// Ends what somebody follows on a server when that is deleted. Its tokens die with it, and their connections too; whoever
// signed in themselves stay, and would wait for ever.
import { findServer } from '#/db/servers.ts';
import type { ReadScope } from '#/db/scope.ts';
import type { Deps } from '../deps.ts';

export function untilServerIsDeleted<T>(
  { channel, log }: Deps,
  scope: ReadScope,
  serverId: string,
  source: AsyncIterableIterator<T>,
): AsyncIterableIterator<T> {
  const look = async () => {
    if ((await findServer(scope, serverId)) === undefined) await iterator.return?.();
  };
  const stop = channel.on('config', () => {
    look().catch((error: unknown) => log.warn({ error }, 'a followed server could not be looked at'));
  });
  // Hand-written: an async generator that waits in next() cannot be ended.
  const iterator: AsyncIterableIterator<T> = {
    async next() {
      const result = await source.next();
      if (result.done === true) stop();
      return result;
    },
    async return() {
      stop();
      return (await source.return?.()) ?? { done: true, value: undefined };
    },
    async throw(error) {
      stop();
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
