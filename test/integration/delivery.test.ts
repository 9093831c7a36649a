// Delivery over real SMTP, against a peer that does what a test asks of it.
import { describe, expect, test } from 'vitest';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { deliveryWorld } from '../support/delivery-world.ts';
import { createDns } from '#/runtime/dns.ts';
import { systemClock } from '#/runtime/clock.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { startSmtpPeer } from '../support/smtp-peer.ts';

const relayTo = (port: number) =>
  ({ kind: 'relay', relay: { host: '127.0.0.1', port, tls: 'opportunistic', auth: null } }) as const;

describe('through a relay', () => {
  test('a mail is delivered once, with its attempt and its events', async () => {
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port) });
    world.startEngine();
    const id = await world.send({ to: ['Ann <ann@receiver.example>'], bcc: ['boss@receiver.example'], tag: 'welcome' });
    const events = await world.events(id, 4);
    expect(events.map(({ type }) => type)).toEqual(['ACCEPTED', 'ACCEPTED', 'DELIVERED', 'DELIVERED']);
    expect(events.map(({ tag }) => tag)).toEqual(['welcome', 'welcome', 'welcome', 'welcome']);
    expect(await world.statuses(id)).toEqual(['DELIVERED', 'DELIVERED']);
    expect(peer.messages.map(({ recipients }) => recipients)).toEqual([
      ['ann@receiver.example'],
      ['boss@receiver.example'],
    ]);
    const source = peer.messages[0]?.raw.toString() ?? '';
    expect(source).toMatch(/^From: Acme <noreply@acme\.example>\r\n/m);
    expect(source).not.toMatch(/^bcc:|boss@/im);
    expect(peer.messages[1]?.raw.toString()).toBe(source);
    const attempts = await world.deps.db.selectFrom('deliveryAttempts').selectAll().orderBy('ordinal').execute();
    expect(
      attempts.map(({ outcome, smtpCode, transport, transcript }) => ({ outcome, smtpCode, transport, transcript })),
    ).toEqual([
      { outcome: 'DELIVERED', smtpCode: 250, transport: 'relay', transcript: null },
      { outcome: 'DELIVERED', smtpCode: 250, transport: 'relay', transcript: null },
    ]);
    expect(await world.deps.db.selectFrom('deliveryQueue').selectAll().execute()).toEqual([]);
  });

  test('a 4xx is tried again after its pause, and told once', async () => {
    const clock = new FakeClock();
    let refusals = 1;
    await using peer = await startSmtpPeer({
      answer: ({ verb }) => (verb === 'RCPT' && refusals-- > 0 ? '451 4.7.1 Greylisted, come back later' : null),
    });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    world.startEngine();
    const id = await world.send({});
    const [, delayed] = await world.events(id, 2);
    expect(delayed).toMatchObject({
      type: 'DELAYED',
      data: { smtpCode: 451, response: '451 4.7.1 Greylisted, come back later' },
    });
    expect(await world.statuses(id)).toEqual(['DELAYED']);
    const nextAttemptAt = delayed?.type === 'DELAYED' ? new Date(delayed.data.nextAttemptAt).getTime() : 0;
    expect(nextAttemptAt - clock.now().getTime()).toBeGreaterThanOrEqual(300_000);
    await clock.advance(299_000);
    expect(peer.messages).toEqual([]);
    await clock.advance(62_000);
    world.deps.channel.nudge('queue');
    await peer.until(({ messages }) => messages.length === 1);
    expect((await world.events(id, 3)).map(({ type }) => type)).toEqual(['ACCEPTED', 'DELAYED', 'DELIVERED']);
    const attempts = await world.deps.db
      .selectFrom('deliveryAttempts')
      .select(['outcome', 'transcript'])
      .orderBy('id')
      .execute();
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['DEFERRED', 'DELIVERED']);
    expect(attempts[0]?.transcript?.join('\n')).toContain('S: 451 4.7.1 Greylisted, come back later');
  });

  test('a 5xx for an address bounces and suppresses it on this stream', async () => {
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port) });
    world.startEngine();
    const id = await world.send({ to: ['bounce@receiver.example'] });
    const events = await world.events(id, 3);
    expect(events.map(({ type }) => type)).toEqual(['ACCEPTED', 'BOUNCED', 'SUBSCRIPTION_CHANGED']);
    const [bounce] = await world.deps.db.selectFrom('bounces').selectAll().execute();
    expect(bounce).toMatchObject({ type: 'HARD_BOUNCE', address: 'bounce@receiver.example', enhancedCode: '5.1.1' });
    expect(bounce?.suppressionId).not.toBeNull();
    await expect(world.send({ to: ['Bounce@receiver.example'] })).rejects.toMatchObject({
      code: 'ALL_RECIPIENTS_SUPPRESSED',
    });
    const mixed = await world.send({ to: ['bounce@receiver.example', 'ann@receiver.example'] });
    await world.events(mixed, 4);
    expect(await world.statuses(mixed)).toEqual(['SUPPRESSED', 'DELIVERED']);
  });

  test('a 5.7 refusal bounces and suppresses nobody', async () => {
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port) });
    world.startEngine();
    const id = await world.send({ to: ['blocked@receiver.example'] });
    expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'BOUNCED']);
    expect(await world.deps.db.selectFrom('suppressions').selectAll().execute()).toEqual([]);
  });

  test('a connection lost after the final dot leaves the mail in doubt, and where no copy may come it is not sent again', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === '.' ? 'drop' : null) });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    await world.whenInDoubt('NEVER_TWICE');
    world.startEngine();
    const id = await world.send({});
    const [, doubt] = await world.events(id, 2);
    expect(doubt).toMatchObject({ type: 'IN_DOUBT', data: { nextAttemptAt: null } });
    expect(await world.statuses(id)).toEqual(['IN_DOUBT']);
    await clock.leap(3 * 24 * 3_600_000);
    world.deps.channel.nudge('queue');
    await turn(clock, 1_000);
    expect(peer.seen.length).toBe(1);
  });

  test('where it may, it is sent again later with the same Message-ID, and the doubt stays on record', async () => {
    const clock = new FakeClock();
    let drops = 1;
    await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === '.' && drops-- > 0 ? 'drop' : null) });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    world.startEngine();
    const id = await world.send({});
    const [, doubt] = await world.events(id, 2);
    expect(doubt?.type).toBe('IN_DOUBT');
    expect(await world.statuses(id)).toEqual(['DELAYED']);
    expect(peer.seen.length).toBe(1);
    await clock.advance(150_000);
    world.deps.channel.nudge('queue');
    expect((await world.events(id, 3)).map(({ type }) => type)).toEqual(['ACCEPTED', 'IN_DOUBT', 'DELIVERED']);
    expect(new Set(peer.seen.map(({ messageId }) => messageId)).size).toBe(1);
    const attempts = await world.deps.db.selectFrom('deliveryAttempts').select('outcome').orderBy('id').execute();
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['IN_DOUBT', 'DELIVERED']);
  });

  test('a receiver that never answers the dot gets three copies at most', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === '.' ? 'drop' : null) });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    const id = await world.send({});
    for (let doubts = 1; doubts <= 3; doubts++) {
      // None works while the clock leaps: it would see a connection hang for minutes.
      const engine = world.startEngine();
      await world.events(id, 1 + doubts);
      await engine[Symbol.asyncDispose]();
      await clock.advance(20 * 60_000);
    }
    expect((await world.events(id, 4)).map(({ type }) => type)).toEqual([
      'ACCEPTED',
      'IN_DOUBT',
      'IN_DOUBT',
      'IN_DOUBT',
    ]);
    expect(await world.statuses(id)).toEqual(['IN_DOUBT']);
    expect(peer.seen.length).toBe(3);
  });

  test('a refusal before MAIL never bounces', async () => {
    await using peer = await startSmtpPeer({ greeting: '554 5.7.1 Go away' });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port) });
    world.startEngine();
    const id = await world.send({});
    const [, delayed] = await world.events(id, 2);
    expect(delayed).toMatchObject({ type: 'DELAYED', data: { smtpCode: 554 } });
  });

  test('what is past its time expires without a dial', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    const id = await world.send({ expiresAt: new Date(clock.now().getTime() + 600_000) });
    await clock.advance(600_000);
    world.startEngine();
    expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'EXPIRED']);
    expect(peer.connections).toBe(0);
  });

  test('what is scheduled waits for its time', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    world.startEngine();
    const id = await world.send({ sendAt: new Date(clock.now().getTime() + 3_600_000) });
    expect(await world.statuses(id)).toEqual(['SCHEDULED']);
    await clock.advance(3_590_000);
    expect(peer.connections).toBe(0);
    await clock.advance(11_000);
    world.deps.channel.nudge('queue');
    expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'DELIVERED']);
  });
});

describe('when a worker dies', () => {
  test('before the content was sent, another sends it', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === 'DATA' ? 'hang' : null) });
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    // Its clock stands still, so it renews no lease: as good as dead to the others.
    world.startEngine({ clock: new FakeClock(clock.now()) });
    const id = await world.send({});
    await peer.until(({ log }) => log.some((line) => line.startsWith('DATA')));
    peer.setScript({ answer: () => null });
    await clock.advance(31_000);
    world.startEngine();
    expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'DELIVERED']);
    expect(peer.messages.length).toBe(1);
    const attempts = await world.deps.db.selectFrom('deliveryAttempts').select('outcome').orderBy('id').execute();
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['LOST', 'DELIVERED']);
    // What the dead one has to say of it later counts no more.
    peer.hangUp();
  });

  test('after the content was sent, the mail is in doubt, and the late answer changes nothing', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer();
    const release = peer.holdFinalDot();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock });
    await world.whenInDoubt('NEVER_TWICE');
    world.startEngine({ clock: new FakeClock(clock.now()) });
    const id = await world.send({});
    await peer.until(({ seen }) => seen.length === 1);
    await clock.advance(31_000);
    world.startEngine();
    expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'IN_DOUBT']);
    release();
    await peer.until(({ messages }) => messages.length === 1);
    await expect
      .poll(async () => (await world.deps.db.selectFrom('deliveryAttempts').select('outcome').execute())[0]?.outcome)
      .toBe('DELIVERED');
    expect(await world.statuses(id)).toEqual(['IN_DOUBT']);
    expect(peer.messages.length).toBe(1);
  });
});

describe('to mail exchangers', () => {
  async function mxWorld(peerPort: number, dnsPort: number, allowPrivateNetworks = true) {
    const dns = createDns({ servers: [`127.0.0.1:${dnsPort}`], clock: systemClock });
    return deliveryWorld({ outbound: { kind: 'mx', port: peerPort }, dns, allowPrivateNetworks });
  }

  test('the most preferred host that answers gets the mail', async () => {
    await using peer = await startSmtpPeer();
    await using zone = await startDnsServer({
      'receiver.example': { MX: ['20 b.receiver.example', '10 a.receiver.example'] },
      'a.receiver.example': { A: ['127.0.0.2'] },
      'b.receiver.example': { A: ['127.0.0.1'] },
    });
    await using world = await mxWorld(peer.port, zone.port);
    world.startEngine();
    const id = await world.send({});
    const events = await world.events(id, 2);
    expect(events[1]).toMatchObject({ type: 'DELIVERED', data: { remoteHost: 'b.receiver.example' } });
  });

  test('in doubt at one host, the next is not tried', async () => {
    const clock = new FakeClock();
    await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === '.' ? 'drop' : null) });
    await using zone = await startDnsServer({
      'receiver.example': { MX: ['20 b.receiver.example', '10 a.receiver.example'] },
      'a.receiver.example': { A: ['127.0.0.1'] },
      'b.receiver.example': { A: ['127.0.0.1'] },
    });
    const dns = createDns({ servers: [`127.0.0.1:${zone.port}`], clock: systemClock });
    await using world = await deliveryWorld({ outbound: { kind: 'mx', port: peer.port }, dns, clock });
    world.startEngine();
    const id = await world.send({});
    const [, doubt] = await world.events(id, 2);
    expect(doubt).toMatchObject({ type: 'IN_DOUBT', data: { remoteHost: 'a.receiver.example' } });
    await clock.advance(60_000);
    expect(peer.connections).toBe(1);
  });

  test('a domain without MX is its own host; a null MX and a missing domain bounce at once', async () => {
    await using peer = await startSmtpPeer();
    await using zone = await startDnsServer({
      'receiver.example': { A: ['127.0.0.1'] },
      'null.example': { MX: ['0 .'] },
    });
    await using world = await mxWorld(peer.port, zone.port);
    world.startEngine();
    const id = await world.send({ to: ['ann@receiver.example', 'ann@null.example', 'ann@missing.example'] });
    await expect.poll(() => world.statuses(id)).toEqual(['DELIVERED', 'BOUNCED', 'BOUNCED']);
    expect(peer.connections).toBe(1);
  });

  test('SERVFAIL defers, and never falls to the address', async () => {
    await using peer = await startSmtpPeer();
    await using zone = await startDnsServer({ 'receiver.example': 'SERVFAIL' });
    await using world = await mxWorld(peer.port, zone.port);
    world.startEngine();
    const id = await world.send({});
    await expect.poll(() => world.statuses(id), { timeout: 20_000 }).toEqual(['DELAYED']);
    expect(peer.connections).toBe(0);
  });

  test('private addresses are not dialled', async () => {
    await using peer = await startSmtpPeer();
    await using zone = await startDnsServer({
      'receiver.example': { MX: ['10 a.receiver.example'] },
      'a.receiver.example': { A: ['127.0.0.1', '169.254.169.254', '10.0.0.1'], AAAA: ['::1', '::ffff:10.0.0.1'] },
    });
    await using world = await mxWorld(peer.port, zone.port, false);
    world.startEngine();
    const id = await world.send({});
    await expect.poll(() => world.statuses(id)).toEqual(['DELAYED']);
    expect(peer.connections).toBe(0);
  });
});

describe('on a sandbox server', () => {
  test('the outcome follows from the local part and nothing leaves', async () => {
    await using peer = await startSmtpPeer();
    const clock = new FakeClock();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), delivery: 'SANDBOX', clock });
    world.startEngine();
    const types = async (to: string, count: number) => {
      const id = await world.send({ to: [to], html: '<a href="https://acme.example/go">Go</a>' });
      if (to.startsWith('delay')) {
        await world.events(id, 2);
        await clock.advance(5_000);
        world.deps.channel.nudge('queue');
      }
      return (await world.events(id, count)).slice(1).map(({ type }) => type);
    };
    expect(await types('anybody@x.example', 2)).toEqual(['DELIVERED']);
    expect(await types('Bounce+1@x.example', 3)).toEqual(['BOUNCED', 'SUBSCRIPTION_CHANGED']);
    expect(await types('soft-bounce@x.example', 2)).toEqual(['BOUNCED']);
    expect(await types('blocked@x.example', 2)).toEqual(['BOUNCED']);
    expect(await types('complaint@x.example', 4)).toEqual(['DELIVERED', 'SPAM_COMPLAINT', 'SUBSCRIPTION_CHANGED']);
    expect(await types('unsubscribe@x.example', 3)).toEqual(['DELIVERED', 'SUBSCRIPTION_CHANGED']);
    expect(await types('open@x.example', 3)).toEqual(['DELIVERED', 'OPENED']);
    expect(await types('click@x.example', 3)).toEqual(['DELIVERED', 'CLICKED']);
    expect(await types('delay@x.example', 3)).toEqual(['DELAYED', 'DELIVERED']);
    expect(peer.connections).toBe(0);
  });
});
