// Token buckets by name: how much of something each peer may do in a time. In this process alone.
import type { Clock } from '#/runtime/ports.ts';

interface Bucket {
  level: number;
  at: number;
}

export interface Buckets {
  /** Takes one; false when there is none. */
  take(key: string): boolean;
}

/** Full ones say nothing and are dropped from here on. */
const MANY = 10_000;

export function createBuckets(clock: Clock, rule: { readonly capacity: number; readonly perSecond: number }): Buckets {
  const buckets = new Map<string, Bucket>();
  const levelAt = ({ level, at }: Bucket, now: number) =>
    Math.min(rule.capacity, level + ((now - at) / 1_000) * rule.perSecond);
  const drop = (now: number) => {
    for (const [key, bucket] of buckets) if (levelAt(bucket, now) >= rule.capacity) buckets.delete(key);
    // A flood from everywhere: forgetting costs the limits, remembering the memory.
    if (buckets.size >= MANY) buckets.clear();
  };
  return {
    take(key) {
      const now = clock.monotonic();
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        if (buckets.size >= MANY) drop(now);
        buckets.set(key, (bucket = { level: rule.capacity, at: now }));
      } else {
        bucket.level = levelAt(bucket, now);
        bucket.at = now;
      }
      if (bucket.level < 1) return false;
      bucket.level--;
      return true;
    },
  };
}
