// How long delivery is tried before a message expires.

/** Past two days nobody waits for a transactional mail; five is what RFC 5321 §4.5.4.1 gives mail in general. */
const LIFETIME_HOURS = { TRANSACTIONAL: 48, BROADCAST: 120 } as const;

/** Delivery ends at the sender's own `expiresAt`, or when the stream's lifetime has passed since the mail was due. */
export function deliverBy(kind: keyof typeof LIFETIME_HOURS, dueAt: Date, expiresAt: Date | null): Date {
  const end = new Date(dueAt.getTime() + LIFETIME_HOURS[kind] * 3_600_000);
  return expiresAt !== null && expiresAt < end ? expiresAt : end;
}
