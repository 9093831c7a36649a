// What a worker holds of each account.
import { expect, test } from 'vitest';
import type { ClaimedRecipient } from '#/db/delivery-queue.ts';
import { Holdings } from '#/delivery/holdings.ts';

const claim = (accountId: string): ClaimedRecipient => ({
  accountId,
  messageId: 'm',
  ordinal: 0,
  serverId: 's',
  streamId: 's',
  sandboxed: false,
  address: 'a@b.example',
  domain: 'b.example',
  deliverBy: new Date(0),
  attempts: 0,
  doubts: 0,
  firstFailedAt: null,
  lostAttemptId: null,
  lostAfterContent: false,
});

test('is counted by account, and let go of once', () => {
  const held = new Holdings();
  const first = claim('a');
  held.add(first);
  held.add(claim('a'));
  held.add(claim('b'));
  expect([held.size, held.of('a'), held.of('b'), held.of('c')]).toEqual([3, 2, 1, 0]);
  expect(held.overShare(2)).toEqual(['a']);
  held.delete(first);
  held.delete(first);
  expect([held.size, held.of('a')]).toEqual([2, 1]);
  expect(held.overShare(2)).toEqual([]);
  expect([...held].length).toBe(2);
});
