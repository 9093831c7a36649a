// How long delivery is tried before a message expires.

/** Past two days nobody waits for a transactional mail; five is what RFC 5321 §4.5.4.1 gives mail in general. */
const LIFETIME_MINUTES = { TRANSACTIONAL: 2 * 1_440, BROADCAST: 5 * 1_440 } as const;
/** Shorter, and a single greylisting would end it; longer, and a queue holds what nobody waits for. */
export const LIFETIME_LIMITS = { least: 5, most: 5 * 1_440 } as const;

type SendingKind = keyof typeof LIFETIME_MINUTES;

/** `own`: what the stream was set to; null: what is usual for its kind. Null for a stream that does not send. */
export function lifetimeMinutes(kind: SendingKind | 'INBOUND', own: number | null): number | null {
  return kind === 'INBOUND' ? null : (own ?? LIFETIME_MINUTES[kind]);
}

/** Delivery ends at the sender's own `expiresAt`, or when the stream's lifetime has passed since the mail was due. */
export function deliverBy(kind: SendingKind, own: number | null, dueAt: Date, expiresAt: Date | null): Date {
  const end = new Date(dueAt.getTime() + (own ?? LIFETIME_MINUTES[kind]) * 60_000);
  return expiresAt !== null && expiresAt < end ? expiresAt : end;
}
