// When a deferred recipient is tried again.

/** Seconds after the first, second, … failure; the last stands for all later ones (RFC 5321 §4.5.4.1 asks for patience). */
const PAUSES = [60, 300, 900, 1_800, 3_600, 7_200, 14_400];
/** Either way, so that what failed together does not come back together. */
const JITTER = 0.2;

/** `failures`: attempts that failed, this one counted. `uniform`: in [0, 1). Not after `deliverBy`, when it expires. */
export function nextAttemptAt(now: Date, failures: number, deliverBy: Date, uniform: number): Date {
  const pause = PAUSES[Math.min(failures, PAUSES.length) - 1] ?? 60;
  const jittered = pause * (1 - JITTER + 2 * JITTER * uniform);
  return new Date(Math.min(now.getTime() + jittered * 1_000, deliverBy.getTime()));
}

/** DELAYED is told on the first failure, and then more and more seldom: on the 2nd, 4th, 8th … */
export function isDelayTold(failures: number): boolean {
  return (failures & (failures - 1)) === 0;
}
