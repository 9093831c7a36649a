// When deferred mail is tried again.
import { describe, expect, test } from 'vitest';
import { deliverBy } from '#/domain/delivery/lifetime.ts';
import { failureOf, isDelayTold, nextAttemptAt, type Trouble } from '#/domain/delivery/retry.ts';
import { statedPause } from '#/domain/delivery/stated-pause.ts';

const now = new Date('2026-01-05T12:00:00Z');
const never = new Date('2030-01-01T00:00:00Z');
const pause = (trouble: Trouble, failures: number, uniform: number, stated: number | null = null) =>
  (nextAttemptAt(now, { trouble, statedPause: stated }, failures, never, uniform).getTime() - now.getTime()) / 1_000;

describe('the kind of trouble', () => {
  test.each<[number, string | null, string, Trouble]>([
    [450, '4.7.1', 'Greylisted, please try again in 300 seconds', 'GREYLIST'],
    [451, '4.7.1', 'Please try again later', 'GREYLIST'],
    [451, null, 'Graylisting in action', 'GREYLIST'],
    [450, '4.2.1', 'The user you are trying to contact is receiving mail at a rate that …', 'RATE'],
    [421, '4.7.0', 'Try again later, closing connection.', 'RATE'],
    [421, null, 'Service not available', 'RATE'],
    [452, '4.2.2', 'The email account that you tried to reach is over quota', 'MAILBOX_FULL'],
    [452, null, 'mailbox is full', 'MAILBOX_FULL'],
    [451, '4.3.0', 'Internal error', 'OTHER'],
    [450, '4.1.1', 'User lookup failed', 'OTHER'],
    [451, '4.3.0', 'The corporate directory is being regenerated', 'OTHER'],
    [451, '4.3.0', 'Ratelimited', 'RATE'],
  ])('%i %s %s is %s', (code, enhancedCode, text, trouble) => {
    expect(failureOf({ code, enhancedCode, text }).trouble).toBe(trouble);
  });

  test('without a reply is the connection', () => {
    expect(failureOf(null)).toEqual({ trouble: 'CONNECTION', statedPause: null });
  });
});

describe('a time that the receiver names', () => {
  test.each<[string, number | null]>([
    ['Greylisted, please try again in 300 seconds', 300],
    ['retry after 5 minutes', 300],
    ['Please wait 2 hours', 7_200],
    ['try again in 90 sec', 90],
    ['come back within 10m', 600],
    ['Greylisting in action, please come back in 00:04:37', 277],
    ['Greylisted for 5 minutes (see http://postgrey.example/)', 300],
    ['please retry in 4 minutes and 30 seconds', 270],
    ['Try again after 1h30m', 5_400],
    ['Deferred, wait at least 10 mins', 600],
    ['Please try again in about 15 minutes.', 900],
    ['Message delayed; minimum of 120 seconds', 120],
    ['Greylisted, 57 seconds remaining', 57],
    ['try again 5 minutes later', 300],
    ['Retry-After: 120', 120],
    ['retry after 300', 300],
    ['try again in 3 minute(s)', 180],
    ['Come back in one hour', 3_600],
    ['Please try again in an hour', 3_600],
    ['Merci de réessayer dans 10 minutes', 600],
    ['Bitte versuchen Sie es in 2 Stunden erneut', 7_200],
    ['bitte in 5 Minuten wieder', 300],
    ['Intente de nuevo en 30 segundos', 30],
    ['Riprovare tra 5 minuti', 300],
    ['try again later', null],
    ['try again in a few minutes', null],
    ['Try again after 14:30', null],
    ['retry after 2026-11-22', null],
    ['message deferred in 3 modules', null],
    ['Message exceeds the limit of 20M', null],
    ['limit of 100 messages in 1 connection', null],
    ['see https://x.example/in/300', null],
  ])('%s: %s', (text, seconds) => {
    expect(statedPause(text)).toBe(seconds);
  });

  test('is kept, within reason, and never undercut', () => {
    for (const uniform of [0, 0.5, 0.999]) expect(pause('RATE', 1, uniform, 300)).toBeGreaterThanOrEqual(300);
    expect(pause('RATE', 1, 0, 0)).toBe(10);
    expect(pause('RATE', 1, 0, 10_000_000)).toBe(6 * 3_600);
  });

  test('that is always soon is no longer believed in the end', () => {
    expect(pause('OTHER', 10, 0, 10)).toBe(10);
    expect(pause('OTHER', 11, 0, 10)).toBe(4 * 3_600);
    expect(pause('OTHER', 11, 0, 5 * 3_600)).toBe(5 * 3_600);
  });
});

describe('the pause', () => {
  test('of a greylist is 5, 10, 20, 30 minutes and never less', () => {
    expect([1, 2, 3, 4, 5].map((failures) => pause('GREYLIST', failures, 0))).toEqual([300, 600, 1_200, 1_800, 1_800]);
    expect(pause('GREYLIST', 1, 0.999)).toBeLessThan(361);
  });

  test('of a full mailbox is hours, of a lost connection half a minute at first', () => {
    expect(pause('MAILBOX_FULL', 1, 0.5)).toBe(7_200);
    expect(pause('CONNECTION', 1, 0.5)).toBe(30);
    expect(pause('CONNECTION', 20, 0.5)).toBe(14_400);
  });

  test('has jitter both ways, and ends with the lifetime', () => {
    expect(pause('OTHER', 1, 0)).toBe(48);
    expect(pause('OTHER', 1, 0.999)).toBeGreaterThan(71);
    const end = new Date(now.getTime() + 20_000);
    expect(nextAttemptAt(now, { trouble: 'OTHER', statedPause: null }, 9, end, 0.5)).toEqual(end);
  });
});

test('a delay is told at once and then more and more seldom', () => {
  expect(Array.from({ length: 20 }, (_, index) => index + 1).filter(isDelayTold)).toEqual([1, 2, 4, 8, 16]);
});

test('delivery ends with the lifetime of the stream, or sooner', () => {
  const hours = (end: Date) => (end.getTime() - now.getTime()) / 3_600_000;
  expect(hours(deliverBy('TRANSACTIONAL', null, now, null))).toBe(48);
  expect(hours(deliverBy('BROADCAST', null, now, null))).toBe(120);
  expect(hours(deliverBy('TRANSACTIONAL', 30, now, null))).toBe(0.5);
  expect(hours(deliverBy('TRANSACTIONAL', null, now, new Date(now.getTime() + 3_600_000)))).toBe(1);
  expect(hours(deliverBy('TRANSACTIONAL', 30, now, new Date(now.getTime() + 3_600_000)))).toBe(0.5);
});
