// Memory for what is being sent: a message may have 50 MB, and its body is larger.

export interface ByteBudget {
  /** Null: there is no room now; `wake` is called once when there may be. Something too large for all of it goes alone. */
  take(bytes: number, wake: () => void): (() => void) | null;
}

export function createByteBudget(limit: number): ByteBudget {
  const waiting = new Set<() => void>();
  let taken = 0;
  return {
    take(bytes, wake) {
      if (taken > 0 && taken + bytes > limit) {
        waiting.add(wake);
        return null;
      }
      taken += bytes;
      return () => {
        taken -= bytes;
        const woken = [...waiting];
        waiting.clear();
        for (const one of woken) one();
      };
    },
  };
}
