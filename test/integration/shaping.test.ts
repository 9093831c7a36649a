// The pace at which sites are sent to: what workers agree on through the database, what replies do to it, and the staff's
// word on it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lendPermits, listOpenMeasures, returnPermits } from '#/db/shaping.ts';
import { type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import { type DeliveryWorld, deliveryWorld } from '../support/delivery-world.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';
import { type World, world } from '../support/world.ts';

const SITE = 'mx:a.receiver.example';

async function mxWorld(peer: SmtpPeer, stack: AsyncDisposableStack, clock?: FakeClock): Promise<DeliveryWorld> {
  const zone = stack.use(
    await startDnsServer({
      'receiver.example': { MX: ['10 a.receiver.example'] },
      'a.receiver.example': { A: ['127.0.0.1'] },
    }),
  );
  const dns = createDns({ servers: [`127.0.0.1:${zone.port}`], clock: systemClock });
  const outbound = { kind: 'mx', port: peer.port } as const;
  return stack.use(await deliveryWorld({ outbound, dns, ...(clock === undefined ? {} : { clock }) }));
}

const measure = (w: DeliveryWorld, changes: object) => ({
  id: w.deps.ids.next(),
  source: 'default',
  site: SITE,
  forAccountId: null,
  kind: 'LIMITS' as const,
  factor: 1,
  connections: null,
  messagesPerSecond: null,
  rule: null,
  cause: 'a test',
  madeBy: null,
  startedAt: w.deps.clock.now(),
  until: null,
  endedAt: null,
  ...changes,
});

describe('permits', () => {
  const one = '00000000-0000-7000-8000-000000000001';
  const two = '00000000-0000-7000-8000-000000000002';

  test('are never more than the limit together, even when many ask at once', async () => {
    await using stack = new AsyncDisposableStack();
    const w = await mxWorld(stack.use(await startSmtpPeer()), stack);
    const lend = (owner: string, wanted: number, open = 0) =>
      writeInSystemScope(w.deps.system, w.deps.clock.now(), async (scope: SystemWriteScope) => {
        const expiresAt = new Date(scope.now.getTime() + 10_000);
        const lent = await lendPermits(scope, { source: 'default', owner, expiresAt }, [
          { site: SITE, wanted, open, limit: 5 },
        ]);
        return lent.get(SITE) ?? 0;
      });
    const owners = Array.from({ length: 8 }, (_, index) => `00000000-0000-7000-8000-0000000001${index}0`);
    const first = await Promise.all(owners.map((owner) => lend(owner, 5)));
    expect(first.reduce((sum, count) => sum + count, 0)).toBe(5);
    await writeInSystemScope(w.deps.system, new Date(w.deps.clock.now().getTime() + 20_000), (scope) =>
      returnPermits(scope, one, []),
    );
    // Alone all, then half, once what is open allows it.
    expect(await lend(one, 5)).toBe(5);
    expect(await lend(two, 5)).toBe(0);
    expect(await lend(one, 5, 4)).toBe(4);
    expect(await lend(one, 5, 0)).toBe(3);
    expect(await lend(two, 5)).toBe(2);
  });

  test('hold for all workers together', async () => {
    await using stack = new AsyncDisposableStack();
    let most = 0;
    const peer: SmtpPeer = stack.use(
      await startSmtpPeer({
        delayMs: 5,
        answer: () => {
          most = Math.max(most, peer.openConnections);
          return null;
        },
      }),
    );
    const w = await mxWorld(peer, stack);
    await w.deps.db
      .insertInto('shapingMeasures')
      .values(measure(w, { connections: 3 }))
      .execute();
    w.startEngine();
    w.startEngine();
    for (let index = 0; index < 10; index++) {
      await w.send({ to: Array.from({ length: 10 }, (_, n) => `r${index * 10 + n}@receiver.example`) });
    }
    await peer.until(({ messages }) => messages.length === 100);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(3);
  });
});

describe('a reply', () => {
  test('421 slows the site down, on record with its cause', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(
      await startSmtpPeer({
        answer: ({ verb }) => (verb === 'MAIL' ? { reply: '421 4.3.2 Too busy for you', closeAfter: true } : null),
      }),
    );
    const w = await mxWorld(peer, stack);
    w.startEngine();
    const id = await w.send({});
    await expect.poll(() => w.statuses(id)).toEqual(['DELAYED']);
    await expect
      .poll(() => listOpenMeasures(w.deps.db, w.deps.clock.now()))
      .toMatchObject([
        { site: SITE, kind: 'SLOW', factor: 0.5, cause: '421 4.3.2 Too busy for you', forAccountId: null },
      ]);
  });

  test('that refuses us at the greeting suspends the site; no recipient bounces, and the next mail is not tried', async () => {
    await using stack = new AsyncDisposableStack();
    const clock = new FakeClock();
    const peer = stack.use(await startSmtpPeer([{ greeting: '554 5.7.1 Go away' }, {}]));
    const w = await mxWorld(peer, stack, clock);
    w.startEngine();
    const first = await w.send({});
    await w.events(first, 2);
    expect(await w.statuses(first)).toEqual(['DELAYED']);
    await expect.poll(() => listOpenMeasures(w.deps.db, clock.now())).toMatchObject([{ kind: 'SUSPEND' }]);
    const second = await w.send({});
    const dueAt = async () =>
      (
        await w.deps.db
          .selectFrom('deliveryQueue')
          .select(['dueAt', 'leaseOwner'])
          .where('messageId', '=', second)
          .execute()
      ).map(({ dueAt: at, leaseOwner }) => leaseOwner === null && at.getTime() - clock.now().getTime() >= 15 * 60_000);
    await expect.poll(dueAt).toEqual([true]);
    expect(await w.statuses(second)).toEqual(['QUEUED']);
    expect(peer.connections).toBe(1);
    // What the staff ends is over for what waits as well.
    await w.deps.db.updateTable('shapingMeasures').set({ endedAt: clock.now() }).execute();
    for (let waited = 0; waited < 20 && peer.messages.length === 0; waited++) {
      await clock.advance(1_000);
      await new Promise((done) => setTimeout(done, 50));
    }
    await expect.poll(() => w.statuses(second)).toEqual(['DELIVERED']);
    expect(await w.statuses(first)).toEqual(['DELAYED']);
  });

  test('about mail of one account suspends that account there and nobody else', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(
      await startSmtpPeer({ answer: ({ verb }) => (verb === '.' ? '450 4.7.1 Mail from you looks like spam' : null) }),
    );
    const w = await mxWorld(peer, stack);
    w.startEngine();
    const id = await w.send({});
    await expect.poll(() => w.statuses(id)).toEqual(['DELAYED']);
    await expect
      .poll(() => listOpenMeasures(w.deps.db, w.deps.clock.now()))
      .toMatchObject([{ kind: 'SUSPEND', forAccountId: w.accountId }]);
  });
});

describe('the staff', () => {
  let w: World;
  let staff: Person;
  const SHAPING =
    '{ shaping { presets { site limits { connections } } measures(first: 10) { site kind cause rule connections accountId endedAt madeBy } } }';
  const OVERRIDE = `mutation ($input: OverrideShapingInput!) { overrideShaping(input: $input) { __typename
    ... on InvalidInput { issues { path } } ... on ShapingMeasure { kind connections messagesPerSecond endedAt } } }`;
  const override = (changes: Record<string, unknown>, person = staff) =>
    w.execute(OVERRIDE, { input: { site: 'google', reason: 'They called.', ...changes } }, person);

  beforeAll(async () => {
    w = await world();
    staff = await w.person({ staff: true, secondFactor: true });
  });
  afterAll(() => w[Symbol.asyncDispose]());

  test('alone may look and speak', async () => {
    const account = await w.account();
    const member = await w.person({ account });
    for (const asker of [member, account.manager, account.token()]) {
      expect((await w.execute(SHAPING, {}, asker)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    }
    expect((await override({}, member)).errors[0]).toMatchObject({ code: 'FORBIDDEN' });
    expect((await w.execute(SHAPING)).errors[0]).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('needs a fresh proof to speak', async () => {
    const tired = await w.person({ staff: true, secondFactor: true, proved: false });
    expect((await override({}, tired)).errors[0]).toMatchObject({ code: 'STEP_UP_REQUIRED' });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ site: '' }, 'site'],
    [{ reason: ' ' }, 'reason'],
    [{ connections: 0 }, 'connections'],
    [{ messagesPerSecond: 0 }, 'messagesPerSecond'],
    [{ suspended: true, connections: 1 }, 'suspended'],
    [{ until: '2020-01-01T00:00:00Z' }, 'until'],
  ])('is refused with %j', async (changes, field) => {
    expect((await override(changes)).data.overrideShaping).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: [field] }],
    });
  });

  test('ends what holds and says what holds instead; all of it stays on record', async () => {
    await override({ source: '192.0.2.1', suspended: true });
    await override({ source: '192.0.2.2', suspended: true });
    await override({ source: '192.0.2.1' });
    expect((await listOpenMeasures(w.db, w.deps.clock.now())).map(({ source }) => source)).toEqual(['192.0.2.2']);
    // Whatever the source: what was said of one ends with it.
    expect((await override({ suspended: true })).data.overrideShaping).toMatchObject({
      kind: 'SUSPEND',
      endedAt: null,
    });
    expect((await override({ connections: 2, messagesPerSecond: 0.5 })).data.overrideShaping).toEqual({
      __typename: 'ShapingMeasure',
      kind: 'LIMITS',
      connections: 2,
      messagesPerSecond: 0.5,
      endedAt: null,
    });
    expect(await listOpenMeasures(w.db, w.deps.clock.now())).toMatchObject([{ kind: 'LIMITS', source: '*' }]);
    await override({});
    expect(await listOpenMeasures(w.db, w.deps.clock.now())).toEqual([]);
    const { data } = await w.execute(SHAPING, {}, staff);
    expect(data.shaping.measures.map(({ kind }: { kind: string }) => kind)).toEqual([
      'LIMITS',
      'LIMITS',
      'SUSPEND',
      'LIMITS',
      'SUSPEND',
      'SUSPEND',
    ]);
    expect(data.shaping.measures[0]).toMatchObject({ cause: 'They called.', madeBy: encodeId('user', staff.userId) });
    expect(data.shaping.presets.find(({ site }: { site: string }) => site === 'google').limits.connections).toBe(5);
  });
});
