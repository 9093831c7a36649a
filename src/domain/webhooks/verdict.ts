// What an answer means for a delivery, and when it is tried again.
import { RETRY_HOURS } from './rules.ts';

/** What a call came to: an HTTP answer, or none. */
export type CallOutcome =
  | { readonly status: number; readonly retryAfter: string | null }
  | { readonly status: null; readonly retryAfter: null };

/**
 * - `taken`: 2xx.
 * - `later`: no answer, 5xx, and the 4xx that speak of now (408, 425, 429).
 * - `refused`: every other answer, redirects included: no later try would change it.
 * - `gone`: 410: the endpoint wants no more calls at all.
 */
export type Verdict = 'taken' | 'later' | 'refused' | 'gone';

const NOW_ONLY: ReadonlySet<number> = new Set([408, 425, 429]);

export function verdictOn({ status }: CallOutcome): Verdict {
  if (status === null || status >= 500 || NOW_ONLY.has(status)) return 'later';
  if (status >= 200 && status < 300) return 'taken';
  return status === 410 ? 'gone' : 'refused';
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** After the first, second, … failure; the last stands for all later ones. About a dozen tries in a day. */
const PAUSES_MS = [5_000, 30_000, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
/** Either way, so that what failed together does not come back together. */
const JITTER = 0.2;
export const RETRY_MS = RETRY_HOURS * HOUR;

/**
 * Milliseconds until the next try after `failures` failures. `notBefore`: what Retry-After asked for, in milliseconds from
 * now.
 */
export function pauseAfter(failures: number, uniform: number, notBefore = 0): number {
  const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length) - 1] ?? 5_000;
  return Math.max(pause * (1 - JITTER + 2 * JITTER * uniform), notBefore);
}

/** When a delivery first tried at `firstAttemptAt` is tried again; null when its day is over. The last try is at its end. */
export function retryAt(now: Date, firstAttemptAt: Date, pauseMs: number): Date | null {
  const end = firstAttemptAt.getTime() + RETRY_MS;
  if (now.getTime() >= end) return null;
  return new Date(Math.min(now.getTime() + pauseMs, end));
}

/** Milliseconds from now that a Retry-After (RFC 9110 §10.2.3: seconds, or a date) asks for; 0 without. At most a day. */
export function retryAfterMs(header: string | null, now: Date): number {
  if (header === null) return 0;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now.getTime();
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), RETRY_MS);
}
