// How long wrong guesses cost.
import { expect, test } from 'vitest';
import { afterFailure, type GuessCount, guessRules, waitOf } from '#/domain/identity/throttle.ts';
import { RESET_MINUTES } from '#/domain/identity/rules.ts';

const start = new Date('2026-01-05T12:00:00Z');

function failed(times: number): GuessCount | undefined {
  let count: GuessCount | undefined;
  for (let time = 0; time < times; time++) count = afterFailure('identity', count, start);
  return count;
}

test('free guesses cost nothing, not even for one that began a moment earlier', () => {
  const count = failed(guessRules.identity.free);
  expect(waitOf(count, start)).toBe(0);
  expect(waitOf(count, new Date(start.getTime() - 1))).toBe(0);
});

test('each beyond them costs twice the wait of the one before, up to the longest', () => {
  const { free, firstWaitSeconds, longestWaitSeconds } = guessRules.identity;
  expect([1, 2, 3].map((beyond) => waitOf(failed(free + beyond), start))).toEqual([2, 4, 8]);
  expect(firstWaitSeconds).toBe(2);
  expect(waitOf(failed(free + 100), start)).toBe(longestWaitSeconds);
});

test('they are forgotten after a time without one', () => {
  const later = new Date(start.getTime() + guessRules.identity.forgetAfterSeconds * 1_000);
  expect(afterFailure('identity', failed(50), later).failures).toBe(1);
});

test('whoever is refused a mail because of strangers has one whose link is still good', () => {
  expect(guessRules.mail.longestWaitSeconds).toBeLessThanOrEqual((RESET_MINUTES * 60) / 2);
});
