// How tokens are checked: without the database where that can be, never for longer than it may be, and on record to a minute.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordTokenUses } from '#/db/api-tokens.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { makeToken } from '#/domain/token.ts';
import { issueToken } from '#/resolvers/tokens/issue-token.ts';
import { createTokenCheck, type TokenCheck } from '#/resolvers/tokens/token-check.ts';
import type { Channel } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

let w: World;
let a: TestAccount;
let clock: FakeClock;
let check: TokenCheck;

/** Notifications are lost: what holds then must hold always. */
const deaf: Channel = { nudge() {}, on: () => () => undefined };

beforeAll(async () => {
  w = await world();
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(() => {
  clock = new FakeClock();
  check = createTokenCheck({ db: w.db, clock, channel: deaf, log: silentLog });
});
afterEach(() => check[Symbol.asyncDispose]());

const issue = async (expiresAt: Date | null = null) => {
  const order = {
    accountId: a.accountId,
    name: 'test',
    server: { id: a.serverId, sandbox: true },
    scopes: ['MESSAGES_SEND' as const],
    expiresAt,
  };
  const { secret, token } = await writeInSystemScope(w.system, clock.now(), (scope) =>
    issueToken(scope, w.deps, order),
  );
  return { secret, id: token.id };
};
const revoke = (id: string) =>
  w.db.updateTable('apiTokens').set({ revokedAt: clock.now() }).where('id', '=', id).execute();
const isGood = async (secret: string) => (await check.check(secret, '192.0.2.1')) !== null;
const lastUse = async (id: string) => {
  const row = await w.db.selectFrom('apiTokens').select('lastUsedAt').where('id', '=', id).executeTakeFirstOrThrow();
  return row.lastUsedAt;
};
const counting = async (run: () => Promise<unknown>) => {
  const before = w.queries;
  await run();
  return w.queries - before;
};

describe('the database', () => {
  test('is not asked about a token with one wrong character', async () => {
    const { secret } = await issue();
    const asked = await counting(async () => {
      for (let index = 0; index < secret.length; index++) {
        const wrong = secret.slice(0, index) + (secret[index] === 'x' ? 'y' : 'x') + secret.slice(index + 1);
        expect(await isGood(wrong)).toBe(false);
      }
      for (const other of ['', 'vrs_', ' '.repeat(42), `${secret}x`, secret.slice(0, -1)])
        expect(await isGood(other)).toBe(false);
    });
    expect(asked).toBe(0);
  });

  test('is asked once for many uses, and beside them while a token stays in use', async () => {
    const { secret } = await issue();
    expect(await counting(() => isGood(secret))).toBe(1);
    const uses = async () => {
      for (let use = 0; use < 100; use++) expect(await isGood(secret)).toBe(true);
    };
    expect(await counting(uses)).toBe(0);
    await clock.advance(800);
    // Old enough to be looked up again, and young enough to be believed meanwhile.
    expect(await counting(uses)).toBe(1);
  });

  test('is asked once for many that come at once', async () => {
    const { secret } = await issue();
    expect(await counting(() => Promise.all(Array.from({ length: 50 }, () => isGood(secret))))).toBe(1);
  });

  test('is asked about an unknown token once in a while', async () => {
    const unknown = makeToken('vrs_', (length) => systemRandom.bytes(length));
    expect(await counting(() => isGood(unknown))).toBe(1);
    expect(await counting(() => isGood(unknown))).toBe(0);
  });
});

describe('a revoked token, though no notification came', () => {
  test('is refused within two seconds, however often it is used', async () => {
    const { secret, id } = await issue();
    expect(await isGood(secret)).toBe(true);
    await revoke(id);
    const revokedAt = clock.monotonic();
    while (await isGood(secret)) {
      await clock.advance(100);
      // A refresh is a real query.
      await w.db.selectFrom('apiTokens').select('id').limit(1).execute();
      expect(clock.monotonic() - revokedAt).toBeLessThan(2_000);
    }
    expect(await isGood(secret)).toBe(false);
  });

  test('is told of within two seconds to who keeps connections open', async () => {
    const { secret, id } = await issue();
    const told: string[] = [];
    check.onRevocation((ids) => told.push(...ids));
    expect(await isGood(secret)).toBe(true);
    await revoke(id);
    await clock.advance(1_000);
    await expect.poll(() => told).toEqual([id]);
  });

  test('is not told of when nobody has used it', async () => {
    const { id } = await issue();
    const told: string[] = [];
    check.onRevocation((ids) => told.push(...ids));
    await revoke(id);
    await clock.advance(2_000);
    expect(told).toEqual([]);
  });
});

test('a token is refused from its end on, to the millisecond', async () => {
  const { secret } = await issue(new Date(clock.now().getTime() + 10_000));
  await clock.advance(9_999);
  expect(await isGood(secret)).toBe(true);
  await clock.advance(1);
  expect(await isGood(secret)).toBe(false);
});

describe('lastUsedAt', () => {
  test('is right to a minute, with a write in half a minute and not one a use', async () => {
    const { secret, id } = await issue();
    expect(await lastUse(id)).toBeNull();
    const writes = await counting(async () => {
      for (let second = 0; second < 60; second++) {
        expect(await isGood(secret)).toBe(true);
        await clock.advance(1_000);
      }
    });
    // Besides those: a sweep a second, and a look-up in most seconds.
    expect(writes).toBeLessThan(150);
    await expect
      .poll(async () => clock.now().getTime() - ((await lastUse(id))?.getTime() ?? 0))
      .toBeLessThanOrEqual(60_000);
  });

  test('tells when it was used, not when that was written', async () => {
    const { secret, id } = await issue();
    await isGood(secret);
    const used = clock.now();
    await clock.advance(30_000);
    await expect.poll(() => lastUse(id)).toEqual(used);
  });

  test('never moves back, whichever node writes last', async () => {
    const { id } = await issue();
    await recordTokenUses(w.db, new Map([[id, new Date('2026-03-02T00:00:00Z')]]));
    await recordTokenUses(w.db, new Map([[id, new Date('2026-03-01T00:00:00Z')]]));
    expect(await lastUse(id)).toEqual(new Date('2026-03-02T00:00:00Z'));
  });

  test('has the operations on a kept connection, and what came just before the process ended', async () => {
    const { secret, id } = await issue();
    await isGood(secret);
    await clock.advance(10_000);
    check.used(id);
    const used = clock.now();
    await check[Symbol.asyncDispose]();
    expect(await lastUse(id)).toEqual(used);
  });

  test('is not moved by who is refused', async () => {
    const { secret, id } = await issue(clock.now());
    expect(await isGood(secret)).toBe(false);
    await clock.advance(60_000);
    expect(await lastUse(id)).toBeNull();
  });
});
