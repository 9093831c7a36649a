// Wrong guesses, counted over all sessions and nodes (domain/identity/throttle.ts says how long they cost).
//
// A guess is admitted, then checked, then counted. Guesses of one key stand in line within a process, so that many at once
// do not all pass before the first is counted; over processes there may be one under way in each.
import { createHash } from 'node:crypto';
import { clearGuessCounters, findGuessCounters, lockGuessCounter, saveGuessCounter } from '#/db/guess-counters.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { RateLimited } from '#/domain/errors.ts';
import { afterFailure, freeGuessesLeft, type GuessCount, type GuessKind, waitOf } from '#/domain/identity/throttle.ts';
import type { Deps } from '../deps.ts';

export interface Guess {
  readonly kind: GuessKind;
  /** What it is counted by: an address, a network, a user and device. */
  readonly about: string;
}

/** Throws RateLimited with the longest wait of all of them. */
export async function admitGuess({ db, clock }: Pick<Deps, 'db' | 'clock'>, guesses: readonly Guess[]): Promise<void> {
  const now = clock.now();
  const counters = await findGuessCounters(db, guesses.map(keyOf));
  refuse(counters.map((counter) => waitOf(counter, now)));
}

/**
 * The same inside the transaction that decides: no two guesses of one key are decided at once anywhere. What it throws
 * must not undo what was counted: count failures in a transaction that commits.
 */
export async function lockGuess(scope: SystemWriteScope, guess: Guess): Promise<GuessCount> {
  const count = await lockGuessCounter(scope, keyOf(guess));
  refuse([waitOf(count, scope.now)]);
  return count;
}

/** Free guesses that are left of the first of them. */
export async function countFailure(scope: SystemWriteScope, guesses: readonly Guess[]): Promise<number> {
  let left = 0;
  // In one order everywhere, so that two transactions never wait for each other.
  const ordered = guesses
    .map((guess) => ({ guess, key: keyOf(guess) }))
    .sort((one, other) => Buffer.compare(one.key, other.key));
  for (const { guess, key } of ordered) {
    const count = afterFailure(guess.kind, await lockGuessCounter(scope, key), scope.now);
    await saveGuessCounter(scope, key, count);
    if (guess === guesses[0]) left = freeGuessesLeft(guess.kind, count);
  }
  return left;
}

export function forgiveGuesses(scope: SystemWriteScope, guesses: readonly Guess[]): Promise<void> {
  return clearGuessCounters(scope, guesses.map(keyOf));
}

const lines = new Map<string, Promise<unknown>>();

/** Runs after all that came before it for the same guess, in this process. */
export async function inLine<T>(guess: Guess, run: () => Promise<T>): Promise<T> {
  const key = keyOf(guess).toString('latin1');
  const before = lines.get(key) ?? Promise.resolve();
  const turn = before.then(run, run);
  const settled = turn.catch(() => undefined);
  lines.set(key, settled);
  try {
    return await turn;
  } finally {
    if (lines.get(key) === settled) lines.delete(key);
  }
}

/** One customer's addresses count as one: /64 of IPv6. */
export function networkOf(ipAddress: string): string {
  if (!ipAddress.includes(':')) return ipAddress;
  const [head = '', tail = ''] = ipAddress.split('::', 2);
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail.split(':').filter((group) => group !== '');
  const zeros = ipAddress.includes('::') ? Math.max(0, 8 - groups.length - rest.length) : 0;
  return [...groups, ...Array.from({ length: zeros }, () => '0'), ...rest]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

function refuse(waits: readonly number[]): void {
  const wait = Math.max(0, ...waits);
  if (wait > 0) throw new RateLimited(wait);
}

function keyOf({ kind, about }: Guess): Buffer {
  return createHash('sha256').update(`${kind}\0${about}`).digest();
}
