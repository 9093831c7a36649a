// What a worker knows of the pace: measures that are taken, ended and read at the same time, and permits that two workers
// share. The shaper on a real database, of which one answer comes late where a test says so.
import { type KyselyPlugin, SelectQueryNode } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listOpenMeasures } from '#/db/shaping.ts';
import { systemScope } from '#/db/scope.ts';
import type { Destination } from '#/delivery/route.ts';
import { startShaper } from '#/delivery/shaper.ts';
import type { SitePace } from '#/delivery/site-pace.ts';
import type { Channel } from '#/runtime/ports.ts';
import { systemRandom } from '#/runtime/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { type World, world } from '../support/world.ts';

const ACCOUNT = '00000000-0000-7000-8000-00000000000a';
const busy = { reply: { code: 421, enhancedCode: '4.3.2', text: 'Too busy for you' }, phase: 'mail' } as const;
const facts = { ...busy, inDoubt: false, failure: null };

const destination = (host: string): Destination => ({
  kind: 'destination',
  key: host,
  transport: 'mx',
  hosts: [host],
  tiers: [[host]],
  port: 25,
  tls: 'opportunistic',
  verifyCertificate: false,
  auth: null,
  security: null,
  source: { key: 'default', ipv4: null, ipv6: null, heloName: 'us.example' },
  named: true,
  via: null,
  limits: null,
  recipientsPerTransaction: 1,
});

let w: World;
let clock: FakeClock;
let stack: AsyncDisposableStack;
beforeAll(async () => {
  w = await world();
});
afterAll(() => w[Symbol.asyncDispose]());
beforeEach(async () => {
  clock = new FakeClock();
  stack = new AsyncDisposableStack();
  await w.db.deleteFrom('shapingMeasures').execute();
  await w.db.deleteFrom('shapingPermits').execute();
  return () => stack.disposeAsync();
});

/** The next list of measures is read at once and handed over when it is told to. */
class LateAnswer implements KyselyPlugin {
  readonly read = Promise.withResolvers<void>();
  readonly #gate = Promise.withResolvers<void>();
  #query: unknown = null;
  #armed = false;

  arm(): void {
    this.#armed = true;
  }

  handOver(): void {
    this.#gate.resolve();
  }

  transformQuery: KyselyPlugin['transformQuery'] = ({ node, queryId }) => {
    if (this.#armed && SelectQueryNode.is(node)) {
      this.#armed = false;
      this.#query = queryId;
    }
    return node;
  };

  transformResult: KyselyPlugin['transformResult'] = async ({ result, queryId }) => {
    if (queryId === this.#query) {
      this.read.resolve();
      await this.#gate.promise;
    }
    return result;
  };
}

function worker(late?: LateAnswer) {
  const listeners = new Set<() => void>();
  const channel: Channel = {
    nudge() {},
    on(_topic, listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const system = systemScope(late === undefined ? w.db : w.db.withPlugin(late));
  const { ids } = w.deps;
  const owner = ids.next();
  const shaper = stack.use(startShaper({ system, clock, ids, random: systemRandom, log: silentLog, channel, owner }));
  const paceOf = async (host: string): Promise<SitePace> => {
    const pace = await shaper.paceOf(destination(host));
    if (pace === null) throw new Error('not shaped');
    return pace;
  };
  return { shaper, paceOf, toldOfNews: () => listeners.forEach((listener) => listener()) };
}

const onRecord = async () => (await listOpenMeasures(w.db, clock.now())).length;
const endAll = () => w.db.updateTable('shapingMeasures').set({ endedAt: clock.now() }).execute();
/** Work that needs nothing but the event loop and the database is over. */
const rest = () => new Promise((done) => setTimeout(done, 50));

describe('a measure', () => {
  test('that is taken and written while the list is read holds on', async () => {
    const late = new LateAnswer();
    const { shaper, paceOf, toldOfNews } = worker(late);
    const pace = await paceOf('mx.example');
    late.arm();
    toldOfNews();
    await late.read.promise;
    shaper.observe(pace, ACCOUNT, facts);
    await expect.poll(onRecord).toBe(1);
    await rest();
    late.handOver();
    await rest();
    expect(pace.measures).toMatchObject([{ kind: 'SLOW', cause: '421 4.3.2 Too busy for you' }]);
    // And what the staff ends is over for the one who took it as well.
    await endAll();
    toldOfNews();
    await expect.poll(() => pace.measures).toEqual([]);
  });

  test('that the staff ends while an older list is on its way does not come back', async () => {
    const late = new LateAnswer();
    const { shaper, paceOf, toldOfNews } = worker(late);
    const pace = await paceOf('mx.example');
    shaper.observe(pace, ACCOUNT, facts);
    await expect.poll(onRecord).toBe(1);
    await rest();
    late.arm();
    toldOfNews();
    await late.read.promise;
    await endAll();
    toldOfNews();
    await rest();
    late.handOver();
    await expect.poll(() => pace.measures).toEqual([]);
    await rest();
    expect(pace.measures).toEqual([]);
  });

  test('that two workers take for the same is one', async () => {
    const [one, two] = [worker(), worker()];
    const paces = await Promise.all([one.paceOf('mx.example'), two.paceOf('mx.example')]);
    one.shaper.observe(paces[0], ACCOUNT, facts);
    two.shaper.observe(paces[1], ACCOUNT, facts);
    await expect.poll(onRecord).toBe(1);
    await rest();
    for (const { toldOfNews } of [one, two]) toldOfNews();
    await expect.poll(() => paces.map(({ measures }) => measures.length)).toEqual([1, 1]);
    expect(await onRecord()).toBe(1);
  });
});

describe('permits', () => {
  test('of two workers are the site’s limit together, and go to who is left', async () => {
    const [one, two] = [worker(), worker()];
    const paces = await Promise.all([one.paceOf('mx.example'), two.paceOf('mx.example')]);
    const together = () => paces.reduce((sum, { permits }) => sum + (permits ?? 0), 0);
    expect(paces.map(({ permits }) => permits)).toEqual([5, 5]);
    // As many as they may, and not one more.
    const opened = paces.map((pace) => Array.from({ length: 20 }, () => pace.open()).filter(Boolean).length);
    expect(opened).toEqual([5, 5]);
    for (let round = 0; round < 3; round++) {
      await clock.advance(2_000);
      await rest();
      expect(together()).toBe(10);
    }
    for (let closed = 0; closed < 5; closed++) paces[1].closed();
    await two.shaper[Symbol.asyncDispose]();
    await clock.advance(2_000);
    await expect.poll(() => paces[0].permits).toBe(10);
  });

  test('of a worker that died go to the others when they have run out', async () => {
    const { paceOf } = worker();
    const expiresAt = new Date(clock.now().getTime() + 10_000);
    const dead = { source: 'default', site: 'mx:mx.example', owner: w.deps.ids.next(), permits: 5, expiresAt };
    await w.db.insertInto('shapingPermits').values(dead).execute();
    const pace = await paceOf('mx.example');
    expect(pace.open()).toBe(true);
    await clock.advance(2_000);
    await rest();
    expect(pace.permits).toBe(5);
    for (let round = 0; round < 6; round++) {
      await clock.advance(2_000);
      await rest();
    }
    await expect.poll(() => pace.permits).toBe(10);
  });
});
