// Calls that one process makes at once. Endpoints that have not answered well lately share half of them, so that however
// many hang, the other half is there for those that work.

/** A call holds a socket and some 20 KB. */
export const MAX_CALLS = 400;

export interface Slots {
  /** Null: none is free; `wake` is called once when one may be. */
  take(suspect: boolean, wake: () => void): (() => void) | null;
  readonly inUse: number;
}

export function createSlots(limit = MAX_CALLS): Slots {
  const waiting = new Set<() => void>();
  let inUse = 0;
  let suspects = 0;
  const release = (suspect: boolean) => () => {
    inUse--;
    if (suspect) suspects--;
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  };
  return {
    get inUse() {
      return inUse;
    },
    take(suspect, wake) {
      if (inUse >= limit || (suspect && suspects >= limit / 2)) {
        waiting.add(wake);
        return null;
      }
      inUse++;
      if (suspect) suspects++;
      return release(suspect);
    },
  };
}
