// The figures of API tokens, each with its reason, and the state that a token is in.

/** Live ones of one server, and of one account: rotation needs two, each application one. Those being rotated out are apart. */
export const MAX_TOKENS = 25;
/** Being rotated out at once, of one server or account: as many as there can be. */
export const MAX_ROTATING_TOKENS = 25;
export const MAX_TOKEN_NAME = 100;
/** Compared one by one at every use. */
export const MAX_ALLOWED_IPS = 50;
/** A date that is further away was meant to be none. */
export const MAX_TOKEN_YEARS = 10;
/** Long enough for a deployment over a week-end. */
export const OVERLAP_SECONDS = { min: 0, max: 7 * 86_400, default: 86_400 } as const;
/** Dead tokens stay in lists for so long, to be recognised; `node` and the audit log know them for ever. */
export const DEAD_TOKENS_LISTED_DAYS = 30;
/** Of one server or account, the newest: whoever makes and revokes them in a loop must not make lists endless. */
export const MAX_DEAD_TOKENS_LISTED = 50;

/** Age of a token at which its account is reminded to rotate it. */
export const TOKEN_REMINDER_DAYS = { min: 7, max: 730, default: 90 } as const;
/** A token that nobody has used for so long is one that nobody would miss. */
export const UNUSED_TOKEN_DAYS = 90;

export const tokenStates = ['ACTIVE', 'ROTATING', 'EXPIRED', 'REVOKED'] as const;
export type TokenState = (typeof tokenStates)[number];

export interface TokenDates {
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly replacedBy: string | null;
}

export function tokenStateOf({ expiresAt, revokedAt, replacedBy }: TokenDates, now: Date): TokenState {
  if (revokedAt !== null) return 'REVOKED';
  if (expiresAt !== null && expiresAt <= now) return 'EXPIRED';
  return replacedBy === null ? 'ACTIVE' : 'ROTATING';
}

/** The latest day that a token made now may end on. */
export function latestExpiry(now: Date): Date {
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + MAX_TOKEN_YEARS);
  return latest;
}

export function isLive(token: TokenDates, now: Date): boolean {
  const state = tokenStateOf(token, now);
  return state === 'ACTIVE' || state === 'ROTATING';
}
