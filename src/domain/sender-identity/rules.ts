// Numbers of domains, keys and signatures, and when a domain is looked at again.

/** Of one account. Each is looked up in DNS every day. */
export const MAX_DOMAINS = 1_000;
export const MAX_SIGNATURES = 1_000;
/** Unconfirmed: each one is a mail to somebody who may not have asked for it. */
export const MAX_UNCONFIRMED_SIGNATURES = 50;
export const MAX_SIGNATURE_NAME = 255;
/** As Postmark has it. */
export const MAX_SIGNATURE_NOTE = 400;
export const CONFIRMATION_DAYS = 7;
/** Least time between two mails that ask to confirm the same address. */
export const RESEND_MS = 60_000;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long a domain that lost its records goes on sending. */
export const GRACE_MS = 7 * DAY;
export const WARN_EVERY_MS = DAY;
/** Mail signed with a retired key may be in flight for 5 days (RFC 5321 §4.5.4.1) in a relay's or receiver's queue; and a margin. */
export const RETIRED_KEY_MS = 7 * DAY;

export const dnsPurposes = [
  'DKIM',
  'DKIM_NEXT',
  'DKIM_RETIRED',
  'RETURN_PATH',
  'DMARC',
  'SPF',
  'TRACKING',
  'MX',
] as const;
export type DnsPurpose = (typeof dnsPurposes)[number];
export type DnsRecordState = 'MISSING' | 'WRONG' | 'OK' | 'UNKNOWN';

export interface DomainCondition {
  /** Since when something is waited for: the first records, or the next key; null when nothing is. */
  readonly waitingSince: Date | null;
  readonly lost: boolean;
  /** A name server did not answer. */
  readonly unknown: boolean;
}

/** Often while somebody sits in front of it, then ever more seldom; daily when all is well. */
export function nextCheckAt(now: Date, { waitingSince, lost, unknown }: DomainCondition): Date {
  const waited = waitingSince === null ? Number.POSITIVE_INFINITY : now.getTime() - waitingSince.getTime();
  let pause = DAY;
  if (waited < HOUR) pause = MINUTE;
  else if (waited < DAY) pause = 10 * MINUTE;
  else if (waited < 14 * DAY || lost) pause = HOUR;
  if (unknown) pause = Math.min(pause, 15 * MINUTE);
  return new Date(now.getTime() + pause);
}
