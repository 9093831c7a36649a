// A short run of the fuzzer, always with the same inputs; `npm run fuzz` goes on for longer, and with the shared corpora.
import { expect, test } from 'vitest';
import { fuzz, samples } from '../../tools/fuzzer.ts';

test('nothing that strangers send breaks a parser', { timeout: 60_000 }, async () => {
  const { inputs, failure } = await fuzz({ seconds: 4, seed: 7, samples });
  expect(failure === null ? null : `${failure.parser}: ${failure.problem}`).toBeNull();
  expect(inputs).toBeGreaterThan(100);
});
