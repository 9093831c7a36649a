// Wrong guesses, counted over all sessions and nodes (domain/identity/throttle.ts says how long they cost).
//
// A guess is admitted, then checked, then counted. Guesses of one key stand in line within a process, so that many at once
// do not all pass before the first is counted; over processes there may be one under way in each.
import { createHash } from 'node:crypto';
import { clearGuessCounters, findGuessCounters, lockGuessCounter, saveGuessCounter } from '#/db/guess-counters.ts';
import type { SystemWriteScope, WriteScope } from '#/db/scope.ts';
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

/** All of them, with the longest wait. */
export async function lockGuesses(scope: WriteScope | SystemWriteScope, guesses: readonly Guess[]): Promise<void> {
  const waits: number[] = [];
  for (const { key } of inOrder(guesses)) waits.push(waitOf(await lockGuessCounter(scope, key), scope.now));
  refuse(waits);
}

/** Free guesses that are left of the first of them. */
export async function countFailure(scope: WriteScope | SystemWriteScope, guesses: readonly Guess[]): Promise<number> {
  let left = 0;
  for (const { guess, key } of inOrder(guesses)) {
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

/**
 * Runs after all that came before it for any of the same guesses, in this process. Guesses of different lines must always
 * be given in the same order of their kinds, or two would wait for each other.
 */
export function inLines<T>([first, ...rest]: readonly Guess[], run: () => Promise<T>): Promise<T> {
  return first === undefined ? run() : inLine(first, () => inLines(rest, run));
}

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

/** In one order everywhere, so that two transactions never wait for each other. */
function inOrder(guesses: readonly Guess[]) {
  return guesses
    .map((guess) => ({ guess, key: keyOf(guess) }))
    .sort((one, other) => Buffer.compare(one.key, other.key));
}

function refuse(waits: readonly number[]): void {
  const wait = Math.max(0, ...waits);
  if (wait > 0) throw new RateLimited(wait);
}

function keyOf({ kind, about }: Guess): Buffer {
  return createHash('sha256').update(`${kind}\0${about}`).digest();
}
