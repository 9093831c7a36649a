// Writers in random order and readers that come and go, for some seconds: tools/torture-log.ts does it for an hour.
import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { tortureLog } from '../support/log-torture.ts';

test.each([
  [2, {}],
  [4, {}],
  // Often nobody follows on a node, and its reader begins anew.
  [2, { readers: 2, stay: 60, writers: 4 }],
])('on %i nodes everybody sees each event once and in the one order, %j', { timeout: 120_000 }, async (count, some) => {
  await using app = await startApp({ VEREDUS_RATE_LIMIT: '0', VEREDUS_ROLES: 'api' });
  const nodes = [{ url: app.url, deps: app.node.deps }];
  while (nodes.length < count) nodes.push(await app.another());
  const account = await app.account();
  const { connectionString } = app;
  const { failures, events, rolledBack, reconnections } = await tortureLog({
    connectionString,
    nodes,
    account,
    seconds: 5,
    ...some,
  });
  expect(failures).toEqual([]);
  // It was a torture.
  expect(events).toBeGreaterThan(200);
  expect(rolledBack).toBeGreaterThan(5);
  expect(reconnections).toBeGreaterThan(5);
  for (const { deps } of nodes) await expect.poll(() => deps.feed.size).toBe(0);
});
