// No text can make a rule slow: every repetition in a pattern is bounded, and each pattern is tried on text made of its own
// words, forty times as long as any that it is given.
import { describe, expect, test } from 'vitest';
import { ruleBase } from '#/mail/bounce/classify-evidence.ts';
import { evidenceOf, MAX_EVIDENCE } from '#/mail/bounce/evidence.ts';
import { readReturned } from '#/mail/bounce/read-report.ts';

const SIZE = 64 * 1024;
/** Processor time for one pattern and one text; seen: 0.1 s at most. */
const MOST = 1_500_000;
const filled = (text: string, size = SIZE) => text.repeat(Math.ceil(size / text.length)).slice(0, size);
const ANY = ['a', ' ', '.', '@@ ', 'a ', '0', '"', `${'x'.repeat(60)} `, 'the ', 'not ', 'your ', '\u3042', 'e\u0301'];

const patterns = ruleBase.flatMap((rule, index) =>
  (['text', 'raw', 'unless'] as const).flatMap((place) => {
    const pattern = rule[place];
    return pattern === undefined ? [] : [{ name: `${index} ${rule.type} ${place}`, pattern }];
  }),
);
const wordsOf = (pattern: RegExp) => [...new Set(pattern.source.match(/\p{L}{2,}/gu))];

describe('every pattern', () => {
  test('repeats nothing without an end', () => {
    const endless = patterns.filter(({ pattern }) =>
      /(?:\\[wWsSdD]|[^\\]\.|\]|\))(?:[*+]|\{\d+,\})/.test(pattern.source),
    );
    expect(endless.map(({ name }) => name)).toEqual([]);
  });

  test.each(patterns)('$name is linear', { timeout: 60_000 }, ({ pattern }) => {
    for (const word of [...ANY, ...wordsOf(pattern).flatMap((one) => [one, `${one} `])]) {
      const text = filled(word);
      const before = process.cpuUsage();
      pattern.test(text);
      const { user, system } = process.cpuUsage(before);
      expect([word, user + system < MOST]).toEqual([word, true]);
    }
  });
});

test('reports made of the words of the rules are read soon', { timeout: 60_000 }, () => {
  const words = [...new Set(patterns.flatMap(({ pattern }) => wordsOf(pattern)))].filter(
    (_, index) => index % 12 === 0,
  );
  let slowest = 0;
  for (const word of words) {
    const source = Buffer.from(
      `Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: failed\n\n<a@b.example>\n${filled(`${word} `)}`,
    );
    const before = process.cpuUsage();
    readReturned(source);
    const { user, system } = process.cpuUsage(before);
    slowest = Math.max(slowest, user + system);
  }
  // Microseconds; seen: 25,000.
  expect(slowest).toBeLessThan(300_000);
});

test('what is matched is bounded', () => {
  expect(evidenceOf(filled('user unknown ')).text.length).toBeLessThanOrEqual(MAX_EVIDENCE);
});
