// Calls that one process makes at once. Endpoints that have not answered well lately, or only after long, share half of them,
// so that however many hang or trickle, the other half is there for those that work. And the last quarter is for endpoints
// with no call under way, so that those which all at once become slow leave room for all others.

/** A call holds a socket and some 20 KB. */
export const MAX_CALLS = 400;

/** An answer that took longer makes its endpoint a suspect until the next one. */
export const SLOW_MS = 2_000;
const RESERVED = 0.25;

/** Who asks for a slot. */
export interface Caller {
  readonly suspect: boolean;
  /** Calls that it has under way. */
  readonly calling: number;
}

export interface Slots {
  /** Null: none is free for this one; `wake` is called once when one may be. */
  take(caller: Caller, wake: () => void): (() => void) | null;
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
    take({ suspect, calling }, wake) {
      const most = calling === 0 ? limit : limit * (1 - RESERVED);
      if (inUse >= most || (suspect && suspects >= limit / 2)) {
        waiting.add(wake);
        return null;
      }
      inUse++;
      if (suspect) suspects++;
      return release(suspect);
    },
  };
}
