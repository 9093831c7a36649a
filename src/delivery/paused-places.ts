// Which servers and streams are paused, for the delivery loop: in memory, asked again when something changes anywhere
// (`config`), and at the latest after two seconds, which is how long mail of a server may still leave when a notification
// was lost. The few who are paused are looked up for all claims at once: a claim costs nothing for it.
import { listPausedPlaces, type PausedPlace } from '#/db/sending-pauses.ts';
import type { SystemScope } from '#/db/scope.ts';
import type { Channel, Clock } from '#/runtime/ports.ts';

const MAX_AGE_MS = 2_000;

type Place = { readonly serverId: string; readonly streamId: string };

export class PausedSet {
  readonly #places: ReadonlySet<string>;

  constructor(places: readonly PausedPlace[]) {
    this.#places = new Set(places.map(({ serverId, streamId }) => `${serverId}/${streamId ?? ''}`));
  }

  has({ serverId, streamId }: Place): boolean {
    if (this.#places.size === 0) return false;
    return this.#places.has(`${serverId}/`) || this.#places.has(`${serverId}/${streamId}`);
  }
}

export interface PausedPlaces extends Disposable {
  now(): Promise<PausedSet>;
}

export function watchPausedPlaces(deps: { system: SystemScope; clock: Clock; channel: Channel }): PausedPlaces {
  let known: { readonly set: Promise<PausedSet>; readonly staleAt: number } | null = null;
  const forget = () => {
    known = null;
  };
  const stop = deps.channel.on('config', forget);
  return {
    now() {
      const time = deps.clock.monotonic();
      if (known === null || known.staleAt <= time) {
        const set = listPausedPlaces(deps.system).then((places) => new PausedSet(places));
        known = { set, staleAt: time + MAX_AGE_MS };
        set.catch(forget);
      }
      return known.set;
    },
    [Symbol.dispose]: stop,
  };
}
