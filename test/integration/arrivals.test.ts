// Between acceptance and what a mail means: nothing that was accepted is lost, and nothing is there twice.
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { domainAddress } from '#/mail/incoming-address.ts';
import { createAcceptance } from '#/resolvers/incoming/accept-mail.ts';
import type { Backlog } from '#/resolvers/incoming/backlog.ts';
import { inboundAddress } from '#/resolvers/inbound/inbound-content.ts';
import { createReceiver, type IncomingReceiver, type ReceiverOptions } from '#/resolvers/incoming/receiver.ts';
import { createRecipients } from '#/resolvers/incoming/recipients.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { deliveredMail, dsn, idle } from '../support/returned-mail.ts';
import { type TestAccount, type World, world } from '../support/world.ts';

const LEASE_MS = 60_000;

let clock: FakeClock;
let w: World;
let a: TestAccount;

beforeAll(async () => {
  clock = new FakeClock(new Date('2026-03-02T12:00:00Z'));
  w = await world({ clock });
  a = await w.account();
});
afterAll(() => w[Symbol.asyncDispose]());

/** Each looks for what is due by itself, so none outlives its test. */
function receiverOf(options: Partial<ReceiverOptions> = {}): IncomingReceiver {
  return createReceiver(w.deps, { authenticate: null, scoreSpam: null, load: idle, ...options });
}

const addressOf = (account: TestAccount, hash: string) =>
  inboundAddress(w.deps, account.serverId).replace('@', `+${hash}@`);

async function send(receive: IncomingReceiver['receive'], to: readonly string[], source: string, pieces = [source]) {
  const { judge } = createRecipients(w.deps);
  const recipients = await Promise.all(
    to.map(async (address) => {
      const judged = await judge(address);
      if (judged === null) throw new Error(`${address} is refused`);
      return { address, judged };
    }),
  );
  await receive({
    envelope: { sender: 'ann@peer.example', recipients },
    source: {
      size: Buffer.byteLength(source),
      read: async () => Buffer.from(source),
      stream: () => Readable.from(pieces.map((piece) => Buffer.from(piece))),
    },
    peer: { address: '192.0.2.9', helo: 'mx.peer.example' },
  });
}

const storedOf = (hash: string) =>
  w.db
    .selectFrom('inboundMessages')
    .select(['subject', 'spamScore', 'status', 'receivedAt', 'size'])
    .where('mailboxHash', '=', hash)
    .execute();
const waiting = () => w.db.selectFrom('arrivals').selectAll().execute();

describe('an arrival', () => {
  test('of a process that has died is read by another when its lease has ended, with what the connection was', async () => {
    // It takes what it has room for, and dies before it reads any.
    const dying: Pick<Backlog, 'reserve' | 'leaseUntil' | 'hold'> = {
      reserve: () => true,
      leaseUntil: (now) => new Date(now.getTime() + LEASE_MS),
      hold() {},
    };
    const accept = createAcceptance(w.deps, dying as Backlog);
    const source = 'Subject: kept\r\n\r\nx\r\n';
    await send(accept, [addressOf(a, 'died')], source);
    const receivedAt = clock.now();
    const judged: object[] = [];
    await using next = receiverOf({
      authenticate: async ({ source: bytes, ...connection }) => {
        judged.push({ ...connection, source: Buffer.from(bytes).toString() });
        return {};
      },
    });
    await next.settled();
    expect(await storedOf('died')).toEqual([]);
    await clock.advance(LEASE_MS + 1);
    await next.settled();
    expect(await storedOf('died')).toMatchObject([{ subject: 'kept', receivedAt, size: source.length }]);
    const connection = { sender: 'ann@peer.example', peerAddress: '192.0.2.9', helo: 'mx.peer.example' };
    expect(judged).toEqual([{ ...connection, source }]);
    expect(await waiting()).toEqual([]);
  });

  test('that two read, because one was slow, is there once', async () => {
    const late = Promise.withResolvers<object>();
    await using slow = receiverOf({ authenticate: () => late.promise });
    await send(slow.receive, [addressOf(a, 'twice')], 'Subject: once\r\n\r\nx\r\n');
    await w.db.updateTable('arrivals').set({ dueAt: clock.now() }).execute();
    await using quick = receiverOf();
    await quick.settled();
    expect(await storedOf('twice')).toHaveLength(1);
    late.resolve({});
    await slow.settled();
    expect(await storedOf('twice')).toHaveLength(1);
    expect(await waiting()).toEqual([]);
  });

  test('that cannot be stored now is tried again later, and not lost', async () => {
    await using receiver = receiverOf();
    await sql`alter table inbound_messages rename to hidden`.execute(w.db);
    try {
      await send(receiver.receive, [addressOf(a, 'later')], 'Subject: later\r\n\r\nx\r\n');
      await receiver.settled();
    } finally {
      await sql`alter table hidden rename to inbound_messages`.execute(w.db);
    }
    expect(await waiting()).toHaveLength(1);
    await clock.advance(LEASE_MS);
    await receiver.settled();
    expect(await storedOf('later')).toMatchObject([{ subject: 'later' }]);
    expect(await waiting()).toEqual([]);
  });

  test('that cannot be made durable is not accepted, and its room is given back', async () => {
    await using receiver = receiverOf();
    await sql`alter table arrivals rename to hidden`.execute(w.db);
    try {
      for (let index = 0; index < 20; index++)
        await expect(send(receiver.receive, [addressOf(a, 'no')], 'x'.repeat(200_000))).rejects.toThrow('arrivals');
    } finally {
      await sql`alter table hidden rename to arrivals`.execute(w.db);
    }
    await send(receiver.receive, [addressOf(a, 'yes')], 'Subject: y\r\n\r\n');
    await receiver.settled();
    expect(await storedOf('no')).toEqual([]);
    expect(await storedOf('yes')).toHaveLength(1);
  });

  test('for many is one of each, of whatever kind', async () => {
    const { id, paths } = await deliveredMail(w, a, ['bea@r.example']);
    const [path = ''] = paths;
    const feedback = domainAddress('feedback', `vr-bounces.${a.domain}`, w.deps.returnPathSecret);
    const other = await w.account();
    await using receiver = receiverOf();
    const to = [addressOf(a, 'mixed'), path, feedback, addressOf(other, 'mixed')];
    await send(receiver.receive, to, dsn({ to: path, address: 'bea@r.example' }));
    await receiver.settled();
    expect(await storedOf('mixed')).toHaveLength(2);
    const { data } = await w.execute(
      'query ($id: ID) { server { bounces(first: 5, filter: { messageId: $id }) { edges { node { type } } } } }',
      { id },
      a.token(),
    );
    expect(data.server.bounces.edges).toEqual([{ node: { type: 'HARD_BOUNCE' } }]);
    expect(await waiting()).toEqual([]);
    expect(await w.db.selectFrom('arrivalContents').selectAll().execute()).toEqual([]);
  });

  test('that is large is stored piece by piece, and is what came', async () => {
    await using receiver = receiverOf();
    const lines = Array.from({ length: 40_000 }, (_, index) => `${(index * 2_654_435_761) % 1e9} ${index}\r\n`);
    const pieces = ['Subject: large\r\n\r\n', ...lines];
    const source = pieces.join('');
    await send(receiver.receive, [addressOf(a, 'large')], source, pieces);
    await receiver.settled();
    expect(await storedOf('large')).toMatchObject([{ subject: 'large', size: source.length }]);
    const { data } = await w.execute(
      '{ server { inboundMessages(first: 1, filter: { mailboxHash: "large" }) { edges { node { source } } } } }',
      {},
      a.token(),
    );
    expect(data.server.inboundMessages.edges[0].node.source === source).toBe(true);
  });
});

test('mails that come together cost a statement together', async () => {
  await using receiver = receiverOf();
  await send(receiver.receive, [addressOf(a, 'warm')], 'x');
  await receiver.settled();
  const { queries } = w;
  await Promise.all(
    Array.from({ length: 200 }, () => send(receiver.receive, [addressOf(a, 'many')], 'Subject: m\r\n\r\n')),
  );
  await receiver.settled();
  expect(await storedOf('many')).toHaveLength(200);
  // 200 lookups of the address, each by a cache of its own; the rest is for all of them.
  expect(w.queries - queries).toBeLessThan(200 + 60);
});

test('in a rush reading waits, and goes on when it is over', async () => {
  let share = 1;
  await using receiver = receiverOf({ load: { share: () => share } });
  await Promise.all(
    Array.from({ length: 50 }, () => send(receiver.receive, [addressOf(a, 'rush')], 'Subject: r\r\n\r\n')),
  );
  // One at once, for no backlog stands still.
  expect((await waiting()).length).toBeGreaterThanOrEqual(49);
  share = 0.5;
  await receiver.settled();
  expect(await storedOf('rush')).toHaveLength(50);
});

test('more than a process holds is read from the table', async () => {
  await using receiver = receiverOf({ load: { share: () => 1 } });
  const body = `Subject: b\r\n\r\n${'x'.repeat(200_000)}`;
  await Promise.all(Array.from({ length: 100 }, () => send(receiver.receive, [addressOf(a, 'beyond')], body)));
  const due = (await waiting()).filter(({ dueAt }) => dueAt <= clock.now());
  expect(due.length).toBeGreaterThan(10);
  await clock.advance(1_000);
  await receiver.settled();
  expect(await storedOf('beyond')).toHaveLength(100);
});
