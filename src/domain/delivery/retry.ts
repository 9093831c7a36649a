// When a deferred recipient is tried again: by what kind of trouble it was, with jitter, and never before a time that the
// receiver named.
import { statedPause } from './stated-pause.ts';

/** What kind of trouble a deferral is. DOUBT: it may have arrived. */
export type Trouble = 'GREYLIST' | 'RATE' | 'CONNECTION' | 'MAILBOX_FULL' | 'DOUBT' | 'OTHER';

const MINUTE = 60;
const HOUR = 3_600;

/** Seconds after the first, second, … failure; the last stands for all later ones (RFC 5321 §4.5.4.1 asks for patience). */
const PAUSES: Readonly<Record<Trouble, readonly [number, ...number[]]>> = {
  // Most greylists let the second try in after one to five minutes, and forget the first after hours.
  GREYLIST: [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE],
  RATE: [2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR],
  // A restart is over in a minute; what is still away after an hour will be for some.
  CONNECTION: [30, MINUTE, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR],
  // Somebody has to clean up first.
  MAILBOX_FULL: [2 * HOUR, 4 * HOUR, 8 * HOUR],
  // Soon for those who wait for it; not so soon that the receiver still has the first copy in hand.
  DOUBT: [2 * MINUTE, 15 * MINUTE, HOUR],
  OTHER: [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR],
};

/** So that what failed together does not come back together: up to so much later, and where nobody minds as much earlier. */
const JITTER = 0.2;
/** A receiver that names a time is believed within these. */
const STATED = { least: 10, most: 6 * HOUR } as const;
/** After so many failures its word is only the least: who says "in a second" for two days would be asked 17,000 times. */
const BELIEVED = 10;

export interface Failure {
  readonly trouble: Trouble;
  /** Seconds that the receiver named; null: none. */
  readonly statedPause: number | null;
}

/**
 * `failures`: attempts that failed, this one counted. `uniform`: in [0, 1). `scale`: of all pauses; other than 1 only in
 * test networks. Not after `deliverBy`, when it expires.
 */
export function nextAttemptAt(
  now: Date,
  { trouble, statedPause }: Failure,
  failures: number,
  deliverBy: Date,
  uniform: number,
  scale = 1,
): Date {
  const pauses = PAUSES[trouble];
  const stated = statedPause === null ? null : Math.min(Math.max(statedPause, STATED.least), STATED.most);
  const usual = pauses[Math.min(failures, pauses.length) - 1] ?? pauses[0];
  const pause = stated === null ? usual : failures <= BELIEVED ? stated : Math.max(stated, usual);
  const neverEarlier = stated !== null || trouble === 'GREYLIST';
  const jittered = pause * (neverEarlier ? 1 + JITTER * uniform : 1 - JITTER + 2 * JITTER * uniform);
  return new Date(Math.min(now.getTime() + jittered * scale * 1_000, deliverBy.getTime()));
}

/** DELAYED is told on the first failure, and then more and more seldom: on the 2nd, 4th, 8th … */
export function isDelayTold(failures: number): boolean {
  return (failures & (failures - 1)) === 0;
}

interface DeferringReply {
  readonly code: number;
  readonly enhancedCode: string | null;
  readonly text: string;
}

const FULL = /(?:mailbox|quota|storage|inbox).{0,30}(?:full|exceed|over)|over ?quota|out of storage/i;
const GREYLISTED = /gr[ae]y-?\s?list/i;
const RATE =
  /too many|\brates?\b|rate.?limit|throttl|limit(?:ed|s)? (?:exceeded|reached)|unusual(?:ly)? high|volume|slow(?:ing)? down/i;
const LATER = /(?:try|retry|come back|again).{0,30}(?:later|again)|temporar(?:y|ily) (?:deferred|rejected)/i;

/** Null: there was no reply at all. */
export function failureOf(reply: DeferringReply | null): Failure {
  return reply === null
    ? { trouble: 'CONNECTION', statedPause: null }
    : { trouble: troubleOf(reply), statedPause: statedPause(reply.text) };
}

function troubleOf({ code, enhancedCode, text }: DeferringReply): Trouble {
  if (enhancedCode === '4.2.2' || FULL.test(text)) return 'MAILBOX_FULL';
  if (GREYLISTED.test(text)) return 'GREYLIST';
  if (code === 421 || enhancedCode === '4.7.28' || enhancedCode === '4.4.5' || RATE.test(text)) return 'RATE';
  if ((code === 450 || code === 451) && (enhancedCode === '4.7.1' || LATER.test(text))) return 'GREYLIST';
  return 'OTHER';
}
