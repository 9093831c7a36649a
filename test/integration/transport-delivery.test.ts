// Mail through transports: which one it takes, from which address, and what happens when one fails as a whole.
import { expect, test, describe } from 'vitest';
import { writeInSystemScope } from '#/db/scope.ts';
import { takeLook } from '#/db/transport-health.ts';
import { relaySealPurpose, subjectOfRelay } from '#/domain/delivery/transports.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import type { Dns } from '#/runtime/ports.ts';
import { type DeliveryWorld, deliveryWorld } from '../support/delivery-world.ts';
import { type DnsServer, type DnsZone, startDnsServer } from '../support/dns-server.ts';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { freePort } from '../support/program.ts';
import { type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';
import { addTransport, chooseFor, healthOf, queueOf } from '../support/transports.ts';

const zone: DnsZone = {
  'receiver.example': { MX: ['10 a.receiver.example'] },
  'a.receiver.example': { A: ['127.0.0.1'] },
};

async function dnsOf(stack: AsyncDisposableStack, records: DnsZone): Promise<{ dns: Dns; server: DnsServer }> {
  const server = stack.use(await startDnsServer(records));
  return { dns: createDns({ servers: [server.address], clock: systemClock }), server };
}

async function mxWorld(
  stack: AsyncDisposableStack,
  port: number,
  options: {
    readonly records?: DnsZone;
    readonly clock?: FakeClock;
    readonly maySendFrom?: (address: string) => Promise<boolean>;
  } = {},
): Promise<DeliveryWorld> {
  const { records, ...rest } = options;
  const { dns } = await dnsOf(stack, records ?? zone);
  return stack.use(await deliveryWorld({ outbound: { kind: 'mx', port }, dns, ...rest }));
}

async function relayWorld(stack: AsyncDisposableStack, port: number, clock?: FakeClock): Promise<DeliveryWorld> {
  const relay = { host: '127.0.0.1', port, tls: 'opportunistic', auth: null } as const;
  return stack.use(
    await deliveryWorld({ outbound: { kind: 'relay', relay }, ...(clock === undefined ? {} : { clock }) }),
  );
}

async function streamsOf({ deps, serverId }: DeliveryWorld): Promise<Map<string, string>> {
  const rows = await deps.db
    .selectFrom('messageStreams')
    .select(['id', 'slug'])
    .where('serverId', '=', serverId)
    .execute();
  return new Map(rows.map(({ id, slug }) => [slug, id]));
}

/** Looks again and again, while time passes, until it is what was expected. */
async function turning<T>(
  { clock, w }: { readonly clock: FakeClock; readonly w: DeliveryWorld },
  ms: number,
  look: () => Promise<T>,
  expected: T,
): Promise<void> {
  const next = async () => {
    await turn(clock, ms, () => w.inFlight);
    return look();
  };
  await expect.poll(next).toEqual(expected);
}

const waiting = async (w: DeliveryWorld) =>
  (await queueOf(w)).every(({ leaseOwner, dueAt }) => leaseOwner === null && dueAt > w.deps.clock.now());

describe('a choice', () => {
  test('of a stream counts before that of its server, and that before what the settings say', async () => {
    await using stack = new AsyncDisposableStack();
    const [usual, servers, streams] = await Promise.all([startSmtpPeer(), startSmtpPeer(), startSmtpPeer()]);
    for (const peer of [usual, servers, streams]) stack.use(peer);
    const w = await relayWorld(stack, usual.port);
    w.startEngine();
    await w.send({});
    await usual.until(({ messages }) => messages.length === 1);

    const ofServer = await addTransport(w, { name: 'server', relays: [{ port: servers.port }] });
    const ofStream = await addTransport(w, { name: 'stream', relays: [{ port: streams.port }] });
    await chooseFor(w, ofServer);
    const broadcast = (await streamsOf(w)).get('broadcast') ?? '';
    await chooseFor(w, ofStream, broadcast);
    // The worker has read it when the first goes another way.
    await expect
      .poll(async () => {
        await w.send({});
        return servers.messages.length;
      })
      .toBeGreaterThan(0);
    await expect.poll(() => queueOf(w)).toEqual([]);
    const before = servers.messages.length;
    const taken = usual.messages.length;
    await w.send({ stream: 'broadcast' });
    await streams.until(({ messages }) => messages.length === 1);
    expect(servers.messages.length).toBe(before);
    expect(usual.messages.length).toBe(taken);
  });

  test('holds from the first mail of a worker on', async () => {
    await using stack = new AsyncDisposableStack();
    const usual = stack.use(await startSmtpPeer());
    const chosen = stack.use(await startSmtpPeer());
    const w = await relayWorld(stack, usual.port);
    await chooseFor(w, await addTransport(w, { name: 'chosen', relays: [{ port: chosen.port }] }));
    await w.send({});
    w.startEngine();
    await chosen.until(({ messages }) => messages.length === 1);
    expect(usual.connections).toBe(0);
  });
});

describe('a relay', () => {
  test('gets its credentials, which no log line, attempt or event holds', async () => {
    await using stack = new AsyncDisposableStack();
    const auth = { user: 'acme', password: 'correct horse battery' };
    const peer = stack.use(await startSmtpPeer({ auth }));
    const w = await relayWorld(stack, peer.port);
    const id = await addTransport(w, {
      name: 'smart',
      // A name, so that only the loopback exception of the settings' relay is not what makes it work.
      relays: [{ host: '127.0.0.1', port: peer.port, credentials: auth }],
    });
    await chooseFor(w, id);
    w.startEngine();
    const message = await w.send({});
    await w.events(message, 2);
    expect(peer.messages).toMatchObject([{ user: 'acme' }]);
    const kept = JSON.stringify([
      await w.deps.db.selectFrom('deliveryAttempts').selectAll().execute(),
      await w.deps.db.selectFrom('events').selectAll().execute(),
      await w.deps.db.selectFrom('transportRelays').selectAll().execute(),
      await healthOf(w),
    ]);
    for (const secret of [auth.password, Buffer.from(auth.password).toString('base64')]) {
      expect(kept).not.toContain(secret);
    }
  });

  test('that is out lets the other one take its mail', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const port = await freePort();
    const w = await relayWorld(stack, peer.port, new FakeClock());
    const relays = [{ port }, { port: peer.port, priority: 10 }];
    await chooseFor(w, await addTransport(w, { name: 'two', relays }));
    w.startEngine();
    for (let index = 0; index < 3; index++) await w.send({ to: [`first-${index}@receiver.example`] });
    await expect.poll(() => healthOf(w)).toMatchObject([{ outSince: expect.any(Date), level: 0 }]);
    await w.send({ to: ['after@receiver.example'] });
    await peer.until(({ messages }) =>
      messages.some(({ recipients }) => recipients.includes('after@receiver.example')),
    );
  });

  test('that is all there is keeps its mail waiting untried, and gets it when it is back', async () => {
    await using stack = new AsyncDisposableStack();
    const clock = new FakeClock();
    const port = await freePort();
    const w = await relayWorld(stack, port, clock);
    await chooseFor(w, await addTransport(w, { name: 'alone', relays: [{ port }] }));
    w.startEngine();
    for (let index = 0; index < 3; index++) await w.send({ to: [`first-${index}@receiver.example`] });
    await expect
      .poll(() => healthOf(w))
      .toMatchObject([{ outSince: expect.any(Date), cause: expect.stringMatching(/ECONNREFUSED/) }]);
    const held = await w.send({ to: ['held@receiver.example'] });
    await expect.poll(() => waiting(w)).toBe(true);
    const attemptsOf = async () =>
      (await queueOf(w)).find(({ address }) => address === 'held@receiver.example')?.attempts;
    expect(await w.statuses(held)).toEqual(['QUEUED']);
    expect(await attemptsOf()).toBe(0);

    // A look that fails costs nobody an attempt, and the next comes later.
    const [first] = await healthOf(w);
    await turning({ clock, w }, 1_000, async () => (await healthOf(w))[0]?.level, 1);
    const [second] = await healthOf(w);
    const pause = (row: typeof first) => (row?.lookAt?.getTime() ?? 0) - (row?.changedAt.getTime() ?? 0);
    expect(pause(second)).toBeGreaterThan(pause(first));
    expect(second?.outSince).toEqual(first?.outSince);
    expect(await attemptsOf()).toBe(0);
    expect(await w.statuses(held)).toEqual(['QUEUED']);

    const peer = stack.use(await startSmtpPeer({}, { port }));
    await turning(
      { clock, w },
      5_000,
      async () => new Set(peer.messages.flatMap(({ recipients }) => recipients)).size,
      4,
    );
    expect(peer.messages).toHaveLength(4);
    await turning(
      { clock, w },
      1_000,
      async () => (await healthOf(w)).map(({ outSince, lookAt }) => outSince ?? lookAt),
      [null],
    );
  });

  test('that is out is looked at by one worker at a time', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const w = await relayWorld(stack, peer.port);
    const subject = subjectOfRelay('alone', { host: '127.0.0.1', port: peer.port });
    const now = w.deps.clock.now();
    const row = { subject, outSince: now, lookAt: now, level: 0, cause: 'x', changedAt: now };
    await w.deps.db.insertInto('transportHealth').values(row).execute();
    const look = () =>
      writeInSystemScope(w.deps.system, now, (scope) => takeLook(scope, subject, new Date(now.getTime() + 60_000)));
    const taken = await Promise.all(Array.from({ length: 8 }, look));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  test('that lets nobody in (5xx to EHLO, a wrong password) is out, and no recipient bounces', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(
      await startSmtpPeer({ answer: ({ verb }) => (/EHLO|HELO/.test(verb) ? '554 5.7.1 Not you' : null) }),
    );
    const w = await relayWorld(stack, peer.port, new FakeClock());
    await chooseFor(w, await addTransport(w, { name: 'strict', relays: [{ port: peer.port }] }));
    w.startEngine();
    const ids = [];
    for (let index = 0; index < 4; index++) ids.push(await w.send({ to: [`r${index}@receiver.example`] }));
    await expect.poll(() => healthOf(w)).toMatchObject([{ cause: '554 5.7.1 Not you' }]);
    await expect.poll(() => waiting(w)).toBe(true);
    for (const id of ids) expect(['QUEUED', 'DELAYED']).toContain((await w.statuses(id))[0]);
  });

  test('that must be spoken to in TLS and does not offer it hears of no mail', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const w = await relayWorld(stack, peer.port, new FakeClock());
    await chooseFor(w, await addTransport(w, { name: 'strict', relays: [{ port: peer.port, tls: 'REQUIRED' }] }));
    w.startEngine();
    for (let index = 0; index < 3; index++) await w.send({ to: [`r${index}@receiver.example`] });
    await expect.poll(() => healthOf(w)).toMatchObject([{ cause: expect.stringContaining('STARTTLS') }]);
    expect(peer.log.filter((line) => /^(?:MAIL|AUTH)/.test(line))).toEqual([]);
  });

  test('that gets other credentials is dialled anew with these', async () => {
    await using stack = new AsyncDisposableStack();
    const first = { user: 'first', password: 'one of two passwords' };
    const peer = stack.use(await startSmtpPeer({ auth: first }));
    const w = await relayWorld(stack, peer.port);
    const id = await addTransport(w, { name: 'smart', relays: [{ port: peer.port, credentials: first }] });
    await chooseFor(w, id);
    w.startEngine();
    await w.send({});
    await peer.until(({ messages }) => messages.length === 1);
    const second = { user: 'second', password: 'two of two passwords' };
    peer.setScript({ auth: second });
    const row = { transportId: id, id: w.deps.ids.next() };
    const sealed = w.deps.secrets.seal(Buffer.from('second\0two of two passwords'), relaySealPurpose(row));
    const changedAt = new Date(w.deps.clock.now().getTime() + 1);
    await w.deps.db.updateTable('transportRelays').set({ id: row.id, credentialsEncrypted: sealed }).execute();
    await w.deps.db.updateTable('transports').set({ changedAt }).execute();
    w.deps.channel.nudge('config');
    // Those on the old connection may still be the first user's.
    await expect
      .poll(
        async () => {
          await w.send({});
          return peer.messages.at(-1)?.user;
        },
        { timeout: 10_000 },
      )
      .toBe('second');
    expect(await healthOf(w)).toEqual([]);
  });

  test('refuses a recipient without being out: that is the recipient’s', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const w = await relayWorld(stack, peer.port);
    await chooseFor(w, await addTransport(w, { name: 'fine', relays: [{ port: peer.port }] }));
    w.startEngine();
    for (let index = 0; index < 5; index++) {
      const id = await w.send({ to: [`bounce+${index}@receiver.example`] });
      await expect.poll(() => w.statuses(id)).toEqual(['BOUNCED']);
    }
    expect(await healthOf(w)).toEqual([]);
  });

  test('keeps to the connections that were given, all workers together', async () => {
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
    const w = await relayWorld(stack, peer.port);
    await chooseFor(w, await addTransport(w, { name: 'narrow', connections: 2, relays: [{ port: peer.port }] }));
    w.startEngine();
    w.startEngine();
    for (let index = 0; index < 4; index++) {
      await w.send({ to: Array.from({ length: 10 }, (_, n) => `r${index * 10 + n}@receiver.example`) });
    }
    await peer.until(({ messages }) => messages.length === 40);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe('a pool of sources', () => {
  const pool = [
    { ipv4: '127.0.0.2', heloName: 'two.acme.example' },
    { ipv4: '127.0.0.3', heloName: 'three.acme.example' },
  ];

  test('spreads recipients over its addresses, each with its own name, limits and connections', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const w = await mxWorld(stack, peer.port);
    await chooseFor(w, await addTransport(w, { name: 'pool', sources: pool }));
    w.startEngine();
    await w.send({ to: Array.from({ length: 30 }, (_, n) => `r${n}@receiver.example`) });
    await peer.until(({ messages }) => messages.length === 30);
    const byConnection = Map.groupBy(peer.messages, ({ connection }) => connection);
    for (const messages of byConnection.values()) {
      expect(new Set(messages.map(({ remoteAddress }) => remoteAddress)).size).toBe(1);
    }
    expect(new Set(peer.messages.map(({ remoteAddress }) => remoteAddress))).toEqual(
      new Set(['127.0.0.2', '127.0.0.3']),
    );
    expect(peer.log).toContain('EHLO two.acme.example');
    expect(peer.log).toContain('EHLO three.acme.example');
    await expect
      .poll(async () => {
        const attempts = await w.deps.db.selectFrom('deliveryAttempts').select('transport').distinct().execute();
        return new Set(attempts.map(({ transport }) => transport));
      })
      .toEqual(new Set(['source:127.0.0.2', 'source:127.0.0.3']));
    const permits = await w.deps.db.selectFrom('shapingPermits').select(['source', 'site']).execute();
    const site = 'mx:a.receiver.example';
    expect(permits.toSorted((a, b) => a.source.localeCompare(b.source))).toEqual([
      { source: '127.0.0.2', site },
      { source: '127.0.0.3', site },
    ]);
  });

  test('brings what was greylisted back from the same address', { timeout: 30_000 }, async () => {
    await using stack = new AsyncDisposableStack();
    const clock = new FakeClock();
    const seen = new Map<string, string[]>();
    const peer: SmtpPeer = stack.use(
      await startSmtpPeer({
        answer: ({ verb, localPart }, session) => {
          if (verb !== 'RCPT') return null;
          const from = [...(seen.get(localPart) ?? []), session.remoteAddress ?? ''];
          seen.set(localPart, from);
          return from.length === 1 ? '450 4.7.1 Greylisted, come back later' : null;
        },
      }),
    );
    const w = await mxWorld(stack, peer.port, { clock });
    await chooseFor(w, await addTransport(w, { name: 'pool', sources: pool }));
    w.startEngine();
    const to = Array.from({ length: 12 }, (_, n) => `r${n}@receiver.example`);
    const id = await w.send({ to });
    await expect.poll(async () => (await w.statuses(id)).every((status) => status === 'DELAYED')).toBe(true);
    await turning({ clock, w }, 5_000, async () => peer.messages.length, 12);
    expect(seen.size).toBe(12);
    for (const from of seen.values()) expect(new Set(from).size).toBe(1);
    expect(new Set([...seen.values()].flat())).toEqual(new Set(['127.0.0.2', '127.0.0.3']));
  });

  test('leaves an address alone that no connection can be had from, whatever the site', async () => {
    await using stack = new AsyncDisposableStack();
    const clock = new FakeClock();
    const port = await freePort();
    const dead = Array.from({ length: 25 }, (_, n) => `dead-${n}.example`);
    const records = Object.fromEntries(dead.map((name) => [name, { A: ['127.0.0.1'] }]));
    const w = await mxWorld(stack, port, { clock, records: { ...zone, ...records } });
    await chooseFor(w, await addTransport(w, { name: 'pool', sources: [{ ipv4: '127.0.0.2' }] }));
    w.startEngine();
    // One site that is dead says nothing about the source, however often it is tried.
    for (let index = 0; index < 3; index++) await w.send({ to: [`r${index}@dead-0.example`] });
    await expect.poll(() => waiting(w)).toBe(true);
    expect(await healthOf(w)).toEqual([]);
    await w.send({ to: dead.slice(1).map((domain) => `r@${domain}`) });
    await expect.poll(() => healthOf(w)).toMatchObject([{ subject: 'source:127.0.0.2', outSince: expect.any(Date) }]);
    const held = await w.send({});
    await expect.poll(() => waiting(w)).toBe(true);
    expect(await w.statuses(held)).toEqual(['QUEUED']);

    const peer = stack.use(await startSmtpPeer({}, { port }));
    await turning({ clock, w }, 5_000, async () => peer.messages.length > 20, true);
    await turning({ clock, w }, 1_000, async () => (await healthOf(w)).map(({ outSince }) => outSince), [null]);
  });

  test('is told to other workers through the database', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const port = await freePort();
    const w = await relayWorld(stack, peer.port);
    await chooseFor(w, await addTransport(w, { name: 'alone', relays: [{ port }] }));
    const now = w.deps.clock.now();
    const subject = subjectOfRelay('alone', { host: '127.0.0.1', port });
    const lookAt = new Date(now.getTime() + 3_600_000);
    await w.deps.db
      .insertInto('transportHealth')
      .values({ subject, outSince: now, lookAt, level: 5, cause: 'another worker', changedAt: now })
      .execute();
    w.startEngine();
    await w.send({});
    await expect.poll(() => waiting(w)).toBe(true);
    expect(await w.deps.db.selectFrom('deliveryAttempts').selectAll().execute()).toEqual([]);
    expect((await queueOf(w))[0]?.dueAt.getTime()).toBeGreaterThanOrEqual(lookAt.getTime());
  });

  test('whose address is on another node leaves the mail to that, and on none waits', async () => {
    await using stack = new AsyncDisposableStack();
    const peer = stack.use(await startSmtpPeer());
    const here = (address: string) => Promise.resolve(address !== '127.0.0.9');
    const w = await mxWorld(stack, peer.port, { maySendFrom: here });
    const id = await addTransport(w, { name: 'pool', sources: [{ ipv4: '127.0.0.9' }] });
    await chooseFor(w, id);
    w.startEngine();
    await w.send({});
    await expect.poll(() => waiting(w)).toBe(true);
    expect(peer.connections).toBe(0);
    expect((await queueOf(w))[0]?.attempts).toBe(0);
    const presence = await w.deps.db.selectFrom('transportPresence').selectAll().execute();
    expect(presence).toEqual([]);
  });
});

describe('families', () => {
  const both: DnsZone = {
    'receiver.example': { MX: ['10 a.receiver.example'] },
    'a.receiver.example': { A: ['127.0.0.1'], AAAA: ['::1'] },
  };

  test('IPv6 comes first where the source has one', async () => {
    await using stack = new AsyncDisposableStack();
    const four = stack.use(await startSmtpPeer());
    const six = stack.use(await startSmtpPeer({}, { host: '::1', port: four.port }));
    const w = await mxWorld(stack, four.port, { records: both });
    await chooseFor(w, await addTransport(w, { name: 'dual', sources: [{ ipv4: '127.0.0.2', ipv6: '::1' }] }));
    w.startEngine();
    await w.send({});
    await six.until(({ messages }) => messages.length === 1);
    expect(four.connections).toBe(0);
  });

  test('IPv4 takes over where IPv6 does not answer', async () => {
    await using stack = new AsyncDisposableStack();
    const four = stack.use(await startSmtpPeer());
    const w = await mxWorld(stack, four.port, { records: both });
    await chooseFor(w, await addTransport(w, { name: 'dual', sources: [{ ipv4: '127.0.0.2', ipv6: '::1' }] }));
    w.startEngine();
    const id = await w.send({});
    await expect.poll(() => w.statuses(id)).toEqual(['DELIVERED']);
    expect(four.messages).toMatchObject([{ remoteAddress: '127.0.0.2' }]);
  });

  test('only IPv4 is used where it has none', async () => {
    await using stack = new AsyncDisposableStack();
    const four = stack.use(await startSmtpPeer());
    const six = stack.use(await startSmtpPeer({}, { host: '::1', port: four.port }));
    const w = await mxWorld(stack, four.port, { records: both });
    await chooseFor(w, await addTransport(w, { name: 'single', sources: [{ ipv4: '127.0.0.2' }] }));
    w.startEngine();
    await w.send({});
    await four.until(({ messages }) => messages.length === 1);
    expect(six.connections).toBe(0);
  });
});
