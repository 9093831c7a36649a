// Retention buckets: a message's content and events live in the partition of the week in which the message expires.

/** Weeks since 1970-01-01T00:00Z. A week: daily partitions for a year's retention would be 365 of each table. */
const WEEK_MS = 7 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

export const RETENTION_DAYS = { min: 7, max: 365, default: 45 } as const;

/** When a message accepted at `acceptedAt` under this setting is to be removed. */
export function expiryOf(acceptedAt: Date, retentionDays: number): Date {
  return new Date(acceptedAt.getTime() + retentionDays * DAY_MS);
}

/** Bucket of what is accepted at `now` and kept for `retentionDays`. */
export function bucketAt(now: Date, retentionDays: number): number {
  return Math.floor(expiryOf(now, retentionDays).getTime() / WEEK_MS);
}

/** A message's id carries its bucket modulo 4096 in `rand_a` (see Ids.nextInBucket); its time tells the rest. */
export function bucketOfMessage(messageId: string): number {
  const createdWeek = Math.floor(Number.parseInt(messageId.slice(0, 8) + messageId.slice(9, 13), 16) / WEEK_MS);
  const low = Number.parseInt(messageId.slice(15, 18), 16);
  return createdWeek + ((low - createdWeek) & 0xfff);
}
