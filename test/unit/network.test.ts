import { expect, test } from 'vitest';
import { networkOf } from '#/domain/network.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  // As a dual-stack socket shows IPv4 (RFC 4291 §2.5.5.2): not all of IPv4 as one.
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
