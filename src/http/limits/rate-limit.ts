// Token buckets of cost points, in this process alone: each of the worker processes gives its share of the limit, and a
// caller whose connections all reach one process gets that share.
import type { Clock } from '#/runtime/ports.ts';

/** A pause of ten seconds earns a burst of ten seconds' points. */
const BURST_SECONDS = 10;
/** Full buckets say nothing and are dropped from here on. */
const MANY_BUCKETS = 10_000;
const SWEEP_MS = 1_000;

export interface Balance {
  /** Capacity of the bucket. */
  readonly limit: number;
  readonly available: number;
  readonly restoreRate: number;
  /** Seconds until it is full. */
  readonly resetAfter: number;
}

export interface RateLimiter {
  /** Null when the points were taken, else the seconds after which they may be there. */
  take(key: string, points: number): number | null;
  giveBack(key: string, points: number): void;
  balance(key: string): Balance;
}

interface Bucket {
  level: number;
  filledAt: number;
}

/** `rate`: points a second in this process. Null when there is no limit. */
export function createRateLimiter(clock: Clock, rate: number): RateLimiter | null {
  if (rate <= 0) return null;
  const capacity = rate * BURST_SECONDS;
  const buckets = new Map<string, Bucket>();
  let sweptAt = Number.NEGATIVE_INFINITY;

  const filled = (key: string): Bucket => {
    const now = clock.monotonic();
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      if (buckets.size >= MANY_BUCKETS && now - sweptAt >= SWEEP_MS) dropFull(now);
      bucket = { level: capacity, filledAt: now };
      buckets.set(key, bucket);
    } else {
      bucket.level = levelAt(bucket, now);
      bucket.filledAt = now;
    }
    return bucket;
  };
  const levelAt = (bucket: Bucket, now: number) =>
    Math.min(capacity, bucket.level + ((now - bucket.filledAt) / 1_000) * rate);
  const dropFull = (now: number) => {
    sweptAt = now;
    for (const [key, bucket] of buckets) if (levelAt(bucket, now) >= capacity) buckets.delete(key);
  };

  return {
    take(key, points) {
      const bucket = filled(key);
      // A document dearer than the whole bucket passes when the bucket is full, and leaves a debt.
      const needed = Math.min(points, capacity);
      if (bucket.level < needed) return (needed - bucket.level) / rate;
      bucket.level -= points;
      return null;
    },
    giveBack(key, points) {
      const bucket = filled(key);
      bucket.level = Math.min(capacity, bucket.level + points);
    },
    balance(key) {
      const { level } = filled(key);
      return {
        limit: Math.floor(capacity),
        available: Math.max(Math.floor(level), 0),
        restoreRate: Math.floor(rate),
        resetAfter: Math.ceil((capacity - level) / rate),
      };
    },
  };
}
