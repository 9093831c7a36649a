// The figures of signing in, each with its reason.

/** NIST SP 800-63B, AAL2: sign in again after 12 hours, or after 30 minutes without a request. */
export const SESSION_HOURS = 12;
export const SESSION_IDLE_MINUTES = 30;
/** `lastSeenAt` is written at most this often: a session costs a write a minute, not one a request. */
export const SESSION_SEEN_SECONDS = 60;
/** Of one identity; the oldest makes room. */
export const MAX_SESSIONS = 50;
/** How long a proof of identity counts for the acts that need a fresh one. */
export const PROOF_MINUTES = 10;
/** Half signed in: time enough to find the phone. */
export const SECOND_STEP_MINUTES = 10;

/** A reset gives the identity away: short. */
export const RESET_MINUTES = 30;
export const EMAIL_CHANGE_MINUTES = 60;
export const SIGN_UP_MINUTES = 60;
export const INVITATION_DAYS = 7;
export const CONTACT_CONFIRMATION_DAYS = 7;

export const MAX_PERSON_NAME = 100;
export const MAX_ACCOUNT_NAME = 100;
/** Of one request. */
export const MAX_INVITATIONS_AT_ONCE = 50;
/** Open ones of an account: each can make the installation send a mail. */
export const MAX_INVITATIONS = 200;
export const MAX_MEMBERS = 1_000;
export const MAX_EMERGENCY_CONTACTS = 10;
export const MAX_TWO_FACTOR_METHODS = 10;
/** Each of 80 bits: 64 are asked for, and 16 characters of base32 hold 80. */
export const BACKUP_CODES = 10;
/** What a session has begun with a second factor. */
export const CHALLENGE_MINUTES = 10;
export const MAX_STAFF_ACCESS_HOURS = 720;

const MINUTE_MS = 60_000;

export function minutesAfter(now: Date, minutes: number): Date {
  return new Date(now.getTime() + minutes * MINUTE_MS);
}
