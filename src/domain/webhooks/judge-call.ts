// What a call changes: the delivery, and the health of its endpoint. Pure, so that it can be shown that no event is lost: a
// delivery is PENDING with a time, or has ended for all to see.
//
//   PENDING ── 2xx ──▶ SUCCEEDED
//      │  └─ 3xx, 4xx ▶ FAILED           (no later try would change it; the endpoint goes on)
//      ├─ no answer, 5xx, 408, 425, 429 ▶ PENDING, later, for a day; then
//      │     other deliveries have got through meanwhile  ▶ FAILED   (it is this one that is not wanted)
//      │     none has                                     ▶ PENDING, and the endpoint is paused until its owner resumes it
//      └─ 410 ▶ FAILED, and the endpoint is turned off
import { REFUSALS_TO_TELL } from './rules.ts';
import { type CallOutcome, pauseAfter, retryAfterMs, retryAt, type Verdict, verdictOn } from './verdict.ts';

export interface TriedDelivery {
  /** Before this call. */
  readonly attempts: number;
  readonly firstAttemptAt: Date | null;
}

export interface EndpointHealth {
  /** Calls in a row that had no answer, or one that spoke of now. */
  readonly failures: number;
  /** Calls in a row that were refused. */
  readonly refusals: number;
  /** Of the first of `failures`. */
  readonly failingSince: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly pausedAt: Date | null;
  readonly pauseReason: string | null;
  /** The endpoint has asked for no calls before. */
  readonly notBefore: Date | null;
}

export type Notice = 'PAUSED' | 'GONE' | 'REFUSING';

export interface Judged {
  readonly verdict: Verdict;
  readonly delivery: {
    readonly state: 'PENDING' | 'SUCCEEDED' | 'FAILED';
    readonly attempts: number;
    readonly firstAttemptAt: Date;
    readonly nextAttemptAt: Date | null;
  };
  readonly health: EndpointHealth;
  /** What the owner is to be told. */
  readonly notice: Notice | null;
}

export function judgeCall(
  delivery: TriedDelivery,
  health: EndpointHealth,
  call: CallOutcome,
  now: Date,
  uniform: number,
): Judged {
  const verdict = verdictOn(call);
  const tried = { attempts: delivery.attempts + 1, firstAttemptAt: delivery.firstAttemptAt ?? now };
  const ended = (state: 'SUCCEEDED' | 'FAILED') => ({ ...tried, state, nextAttemptAt: null });
  switch (verdict) {
    case 'taken':
      return {
        verdict,
        delivery: ended('SUCCEEDED'),
        health: { ...health, failures: 0, refusals: 0, failingSince: null, lastSuccessAt: now, notBefore: null },
        notice: null,
      };
    case 'refused': {
      const refusals = health.refusals + 1;
      const notice = refusals === REFUSALS_TO_TELL ? 'REFUSING' : null;
      return { verdict, delivery: ended('FAILED'), health: { ...health, refusals }, notice };
    }
    case 'gone': {
      const gone = { ...health, refusals: health.refusals + 1, pausedAt: now, pauseReason: 'GONE' };
      return { verdict, delivery: ended('FAILED'), health: gone, notice: 'GONE' };
    }
    case 'later':
      return { verdict, ...later(tried, health, call, now, uniform) };
    default:
      return verdict satisfies never;
  }
}

function later(
  tried: { readonly attempts: number; readonly firstAttemptAt: Date },
  health: EndpointHealth,
  call: CallOutcome,
  now: Date,
  uniform: number,
): Omit<Judged, 'verdict'> {
  const asked = retryAfterMs(call.retryAfter, now);
  const failing: EndpointHealth = {
    ...health,
    failures: health.failures + 1,
    failingSince: health.failingSince ?? now,
    // Of 429 and 503 it is the endpoint that speaks, not this one delivery.
    notBefore:
      asked > 0 && (call.status === 429 || call.status === 503) ? new Date(now.getTime() + asked) : health.notBefore,
  };
  const next = retryAt(now, tried.firstAttemptAt, pauseAfter(tried.attempts, uniform, asked));
  if (next !== null) {
    return { delivery: { ...tried, state: 'PENDING', nextAttemptAt: next }, health: failing, notice: null };
  }
  const nobodyGotThrough = failing.failingSince !== null && failing.failingSince <= tried.firstAttemptAt;
  if (!nobodyGotThrough) {
    return { delivery: { ...tried, state: 'FAILED', nextAttemptAt: null }, health: failing, notice: null };
  }
  return {
    delivery: { ...tried, state: 'PENDING', nextAttemptAt: now },
    health: { ...failing, pausedAt: now, pauseReason: 'FAILING' },
    notice: 'PAUSED',
  };
}
