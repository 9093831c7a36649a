// Reminders of tokens that are old, or that nobody uses: to owner and admins, once for each token and reason.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { remindOfTokens } from '#/maintenance/token-reminders.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const DAY = 86_400_000;
let clock: FakeClock;
let w: World;
let a: TestAccount;

beforeEach(async () => {
  clock = new FakeClock();
  w = await world({ clock });
  a = await w.account();
  await w.person({ account: a, role: 'ADMIN', email: 'admin@people.example' });
  await w.person({ account: a, grants: { [a.serverId]: 'ADMIN' }, email: 'member@people.example' });
});
afterEach(() => w[Symbol.asyncDispose]());

const remind = () => remindOfTokens({ system: w.system, deps: w.deps });
const sent = () => w.mails.map(({ to }) => to);
const use = (name: 'SERVER' | 'ACCOUNT') =>
  w.db
    .updateTable('apiTokens')
    .set({ lastUsedAt: clock.now() })
    .where('accountId', '=', a.accountId)
    .where('kind', '=', name)
    .execute();

test('nothing is said before it is time', async () => {
  await clock.advance(90 * DAY - 1);
  expect(await remind()).toBe(0);
  expect(w.mails).toEqual([]);
});

test('owner and admins hear of what is old and unused in one mail, and once', async () => {
  await clock.advance(90 * DAY);
  await use('SERVER');
  expect(await remind()).toBe(2);
  expect(sent().sort()).toEqual(['admin@people.example', 'owner@a1.example']);
  const [mail] = w.mails;
  expect(mail?.subject).toBe('2 tokens of Account 1 should be looked at');
  expect(mail?.text).toMatch(/"bootstrap" \(vrt_….{4}\) of the server Main: 90 days old\n/);
  expect(mail?.text).toMatch(/"bootstrap" \(vra_….{4}\) of the account: 90 days old, never used\n/);
  expect(await remind()).toBe(0);
  await clock.advance(90 * DAY);
  // The other reason has its own time.
  expect(await remind()).toBe(1);
  expect(w.mails).toHaveLength(4);
  expect(w.mails.at(-1)?.text).toContain('last used 2026-04-05');
  await clock.advance(400 * DAY);
  expect(await remind()).toBe(0);
});

test('the age is the account’s own', async () => {
  await w.db.updateTable('accounts').set({ tokenReminderDays: 30 }).where('id', '=', a.accountId).execute();
  await w.account();
  await clock.advance(30 * DAY);
  expect(await remind()).toBe(2);
  expect(new Set(sent())).toEqual(new Set(['admin@people.example', 'owner@a1.example']));
});

test('dead tokens, those being rotated out and those of deleted servers are left alone', async () => {
  const tokens = w.db.updateTable('apiTokens').where('accountId', '=', a.accountId);
  await clock.advance(91 * DAY);
  for (const dead of [
    { revokedAt: clock.now() },
    { revokedAt: null, expiresAt: clock.now() },
    { expiresAt: null, replacedBy: w.deps.ids.next() },
  ]) {
    await tokens.set(dead).execute();
    expect(await remind()).toBe(0);
  }
  await tokens.set({ replacedBy: null }).execute();
  await w.db.updateTable('servers').set({ deletedAt: clock.now() }).where('accountId', '=', a.accountId).execute();
  expect(await remind()).toBe(1);
});

test('two nodes at once tell each token once', async () => {
  await clock.advance(100 * DAY);
  const [one, other] = await Promise.all([remind(), remind()]);
  expect(one + other).toBe(2);
  const tokensTold = w.mails.flatMap(({ text }) => text.match(/^- /gm) ?? []);
  expect(tokensTold).toHaveLength(2 * 2);
});
