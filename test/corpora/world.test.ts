// What the rules make of mail that they were not made from: the lists in world/, written down from knowledge of mail systems.
// They are part of the repository, so this holds everywhere.
import { describe, expect, test } from 'vitest';
import { scoreNotices } from './world-notices.ts';
import { scoreOrdinary } from './world-ordinary.ts';
import { scoreDeviceLines, scoreKept, scoreQuotations } from './world-quotations.ts';
import { scoreReplies, type WorldScore } from './world-replies.ts';

const ENDS = [
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['bare CR', '\r'],
] as const;

/** Shows what was missed where it is too much. */
function holds({ of, misses }: WorldScore, percent: number) {
  expect(of).toBeGreaterThan(0);
  expect((100 * (of - misses.length)) / of < percent ? misses : []).toEqual([]);
}

describe.each(['replies.txt', 'unusual-replies.txt'] as const)('%s', (name) => {
  const scores = scoreReplies(name);
  test('accepted', () => holds(scores.accepted, 97));
  test('expected where no doubt is', () => holds(scores.expected, 95));
  test('hard or not', () => holds(scores.hard, 97));
});

describe.each(ENDS)('with line ends %s', (_, ends) => {
  test('notices name who failed', () => holds(scoreNotices(ends).recipients, 98));
  test('notices are classified', () => holds(scoreNotices(ends).accepted, 95));
  test('notices condemn nobody wrongly', () => holds(scoreNotices(ends).hard, 95));
  test('mail about bounces is none', () => holds(scoreOrdinary('ordinary', ends), 100));
  test('answers of machines', () => holds(scoreOrdinary('auto-reply', ends), 100));
  test('complaints', () => holds(scoreOrdinary('complaint', ends), 100));
  test('failure reports', () => holds(scoreOrdinary('authentication-failure', ends), 100));
  test('quotations are cut', () => holds(scoreQuotations(ends), 97));
});

test('quotations in HTML are cut', () => holds(scoreQuotations('\n', true), 97));
test('what phones add is cut', () => holds(scoreDeviceLines(), 97));
test('what only looks like it is kept', () => holds(scoreKept(), 100));
