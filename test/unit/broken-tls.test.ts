// How long it is remembered that a host's STARTTLS is broken.
import { expect, test } from 'vitest';
import { BrokenTls } from '#/delivery/tls/broken-tls.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('three days, host by host', async () => {
  const clock = new FakeClock();
  const broken = new BrokenTls(clock);
  broken.remember('mx.example:25', 'validation-failure');
  await clock.advance(3 * 86_400_000 - 1);
  expect(broken.flawOf('mx.example:25')).toBe('validation-failure');
  expect(broken.flawOf('other.example:25')).toBeNull();
  await clock.advance(1);
  expect(broken.flawOf('mx.example:25')).toBeNull();
});
