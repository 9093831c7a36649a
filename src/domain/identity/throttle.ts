// How long to wait after wrong guesses. Each guess is counted by several things at once, and the longest wait holds:
// - the network it comes from, so that one password tried on a thousand addresses is stopped;
// - the identity it is aimed at, from devices that never signed in as it: a stranger can make other strangers wait, and
//   nobody else;
// - the device, where that has signed in as the identity before. Whoever holds such a device waits for their own mistakes
//   only, whatever strangers do.
// Nothing here tells whether an address exists: what people typed is counted, not what is found.

export type GuessKind = 'network' | 'identity' | 'device' | 'second-factor' | 'link';

interface GuessRule {
  /** Wrong guesses that cost no wait. */
  readonly free: number;
  readonly firstWaitSeconds: number;
  readonly longestWaitSeconds: number;
  /** Failures are forgotten after this time without one. */
  readonly forgetAfterSeconds: number;
}

const HOUR = 3_600;

export const guessRules: Readonly<Record<GuessKind, GuessRule>> = {
  // A company behind one address mistypes too; 1,000 guesses take more than 9 days.
  network: { free: 30, firstWaitSeconds: 2, longestWaitSeconds: 15 * 60, forgetAfterSeconds: HOUR },
  // NIST SP 800-63B §5.2.2 allows 100 consecutive failures; they would take about a month here.
  identity: { free: 5, firstWaitSeconds: 2, longestWaitSeconds: 8 * HOUR, forgetAfterSeconds: 72 * HOUR },
  device: { free: 10, firstWaitSeconds: 2, longestWaitSeconds: 5 * 60, forgetAfterSeconds: 24 * HOUR },
  // A million codes, three of which are good at a time: the password is known to whoever comes so far, so this is stricter.
  'second-factor': { free: 5, firstWaitSeconds: 5, longestWaitSeconds: 60 * 60, forgetAfterSeconds: 72 * HOUR },
  // Links hold 256 random bits; this only keeps floods from the database.
  link: { free: 30, firstWaitSeconds: 1, longestWaitSeconds: 60, forgetAfterSeconds: HOUR },
};

export interface GuessCount {
  readonly failures: number;
  readonly lastFailedAt: Date;
  readonly blockedUntil: Date;
}

/** Seconds to wait before the next guess; 0: none. */
export function waitOf(count: GuessCount | undefined, now: Date): number {
  if (count === undefined) return 0;
  return Math.max(0, Math.ceil((count.blockedUntil.getTime() - now.getTime()) / 1_000));
}

/** The count after one more failure. The wait doubles with each beyond the free ones. */
export function afterFailure(kind: GuessKind, count: GuessCount | undefined, now: Date): GuessCount {
  const rule = guessRules[kind];
  const kept =
    count !== undefined && now.getTime() - count.lastFailedAt.getTime() < rule.forgetAfterSeconds * 1_000
      ? count.failures
      : 0;
  const failures = kept + 1;
  const beyond = failures - rule.free;
  const wait =
    beyond <= 0 ? 0 : Math.min(rule.firstWaitSeconds * 2 ** Math.min(beyond - 1, 30), rule.longestWaitSeconds);
  return { failures, lastFailedAt: now, blockedUntil: new Date(now.getTime() + wait * 1_000) };
}

export function freeGuessesLeft(kind: GuessKind, count: GuessCount | undefined): number {
  return Math.max(0, guessRules[kind].free - (count?.failures ?? 0));
}
