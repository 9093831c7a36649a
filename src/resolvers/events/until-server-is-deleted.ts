// Ends what somebody follows on a server when that is deleted. Its tokens die with it, and their connections too, with 4401,
// which says more than an end; whoever signed in themselves stay, and would wait for ever.
import { findServer } from '#/db/servers.ts';
import type { ReadScope } from '#/db/scope.ts';
import { like, type LiveSource } from '#/events/live-source.ts';
import type { Caller } from '../define.ts';
import type { Deps } from '../deps.ts';

export function untilServerIsDeleted<T>(
  { deps, scope, caller }: { readonly deps: Deps; readonly scope: ReadScope; readonly caller: Caller },
  serverId: string,
  source: LiveSource<T>,
): LiveSource<T> {
  if (caller.actor.kind === 'SERVER_TOKEN') return source;
  const look = async () => {
    if ((await findServer(scope, serverId)) === undefined) await source.return();
  };
  const stop = deps.channel.on('config', () => {
    look().catch((error: unknown) => deps.log.warn({ error }, 'a followed server could not be looked at'));
  });
  return like(source, {
    take(most) {
      const taken = source.take(most);
      if (taken === null) stop();
      return taken;
    },
    async next() {
      const result = await source.next();
      if (result.done === true) stop();
      return result;
    },
    return() {
      stop();
      return source.return();
    },
  });
}
