// How a burst of lookups is let out: few at a time, and nobody stands long behind who is slow.
import { expect, test } from 'vitest';
import { Turnstile } from '#/delivery/tls/turnstile.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('what is answered makes room at once; what is slow, after its moment', async () => {
  const clock = new FakeClock();
  const turnstile = new Turnstile(clock, { atOnce: 2, holdMs: 200 });
  const begun: number[] = [];
  const answers = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const passing = answers.map(({ promise }, index) =>
    turnstile.pass(() => {
      begun.push(index);
      return promise;
    }),
  );
  await clock.advance(0);
  expect(begun).toEqual([0, 1]);
  answers[0]?.resolve(7);
  expect(await passing[0]).toBe(7);
  await clock.advance(0);
  expect(begun).toEqual([0, 1, 2]);
  await clock.advance(199);
  expect(begun).toEqual([0, 1, 2]);
  await clock.advance(1);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  for (const { resolve } of answers) resolve(0);
  await Promise.all(passing);
  expect(clock.sleepers).toBe(0);
});

test('what fails makes room too, and fails for who asked alone', async () => {
  const turnstile = new Turnstile(new FakeClock(), { atOnce: 1, holdMs: 200 });
  const failing = turnstile.pass(() => Promise.reject(new Error('no')));
  const next = turnstile.pass(async () => 'yes');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
