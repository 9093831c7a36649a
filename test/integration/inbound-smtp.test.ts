// SMTP from the world: what is taken for whom, and what never is.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verpLocalPart } from '#/mail/reverse-path.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import { systemRandom } from '#/runtime/random.ts';
import { SmtpRefusal } from '#/smtp/protocol/refusal.ts';
import { type InboundServer, inboundAddress, inboundServer } from '../support/inbound-server.ts';
import { Dialogue } from '../support/smtp-dialogue.ts';

const ids = createIds(systemClock, systemRandom);
let server: InboundServer;

beforeAll(async () => {
  server = await inboundServer({ limits: { refusedRecipients: 1_000, strangers: { capacity: 10_000, perSecond: 1 } } });
});
afterAll(() => server[Symbol.asyncDispose]());

async function greeted(port = server.port): Promise<Dialogue> {
  const session = await Dialogue.open(port);
  await session.command('EHLO peer.example', 250);
  return session;
}

const messageId = ids.next();
const returnPath = (over: { domain?: string; secret?: Buffer } = {}) => {
  const domain = over.domain ?? 'bounces.acme.example';
  return `${verpLocalPart({ messageId, ordinal: 3, tag: 'abcdefghjk' }, { domain, secret: over.secret ?? server.secret })}@${domain}`;
};

describe('nothing is relayed', () => {
  // The forms that relay testers have tried for decades; `us` is a domain of ours, whose addresses we do know.
  const forms = [
    '<user@other.example>',
    '<user%other.example@inbound.example>',
    '<user%other.example@mx.veredus.example>',
    '<user%other.example@[127.0.0.1]>',
    '<user%other.example>',
    '<"user@other.example">',
    '<"user@other.example"@inbound.example>',
    '<"user%other.example"@inbound.example>',
    '<@inbound.example:user@other.example>',
    '<@mx.veredus.example,@inbound.example:user@other.example>',
    '<@[127.0.0.1]:user@other.example>',
    '<other.example!user>',
    '<other.example!user@inbound.example>',
    '<other.example!user@[127.0.0.1]>',
    '<user@other.example@inbound.example>',
    '<user@other.example@[127.0.0.1]>',
    '<user@[127.0.0.1]>',
    '<user@localhost>',
    '<user@inbound.example@other.example>',
    '<user@other.example.>',
    '<app@inbound.example,user@other.example>',
    '<app@inbound.example> <user@other.example>',
    'user@other.example',
    '<user>',
    '<postmaster@other.example>',
    '<app@inbound.example.other.example>',
    '<app@INBOUND.example\\@other.example>',
  ];
  const senders = ['<spam@peer.example>', '<>', '<app@inbound.example>', '<user@localhost>'];

  test.each(senders)('from %s', async (sender) => {
    for (const form of forms) {
      using session = await greeted();
      await session.command(`MAIL FROM:${sender}`, 250);
      const { code } = await session.command(`RCPT TO:${form}`);
      expect(`${form} ${code}`).toMatch(/ 5(50|01|55)$/);
      expect((await session.command('DATA')).code).toBe(503);
    }
    expect(server.mails).toEqual([]);
  });

  test('after AUTH either: there is none', async () => {
    using session = await greeted();
    await session.startTls();
    expect((await session.command('EHLO peer.example', 250)).text).not.toContain('AUTH');
    expect((await session.command('AUTH PLAIN AHRva2VuAHRva2Vu')).code).toBeGreaterThanOrEqual(500);
  });

  test('by recipients of the transaction before', async () => {
    using session = await greeted();
    await session.command('MAIL FROM:<a@peer.example>', 250);
    await session.command('RCPT TO:<app@inbound.example>', 250);
    await session.command('RSET', 250);
    await session.command('MAIL FROM:<a@peer.example>', 250);
    expect((await session.command('DATA')).code).toBe(503);
  });
});

describe('a return path', () => {
  test.each([
    ['of another secret', () => returnPath({ secret: Buffer.alloc(32, 9) })],
    ['moved to another domain', () => returnPath().replace('bounces.acme', 'bounces.other')],
    ['of another recipient', () => returnPath().replace(/-3-/, '-4-')],
    ['of another message', () => returnPath().replace(/^msg_.{26}/, `msg_${'0'.repeat(26)}`)],
    ['cut short', () => returnPath().replace(/.@/, '@')],
  ])('%s is nobody’s', async (_name, address) => {
    using session = await greeted();
    await session.command('MAIL FROM:<>', 250);
    expect(await session.command(`RCPT TO:<${address()}>`)).toEqual({
      code: 550,
      text: '5.1.1 No such recipient here',
    });
  });

  test('names message and recipient, in any case of letters', async () => {
    using session = await greeted();
    await session.envelope('', [returnPath().toUpperCase()]);
    session.write('Subject: Undelivered\r\n\r\n..x\r\n.\r\n');
    expect(await session.reply(250)).toEqual({ code: 250, text: '2.0.0 Accepted' });
    const mail = server.mails.at(-1);
    expect(mail?.envelope).toMatchObject({
      sender: '',
      recipients: [{ judged: { kind: 'return-path', messageId, ordinal: 3, tag: 'abcdefghjk' } }],
    });
    expect(mail?.source.toString()).toBe('Subject: Undelivered\r\n\r\n.x\r\n');
  });
});

describe('mail for an application', () => {
  test('comes with what is known of its peer, and its octets as they are', async () => {
    using session = await greeted();
    await session.startTls();
    await session.command('EHLO peer.example', 250);
    const odd = Buffer.from('Subject: bare\nand \xff\r\r\n\r\nH\0i\n.\n\r\n', 'latin1');
    await session.envelope('ann@peer.example', ['app@inbound.example', 'APP@inbound.example']);
    session.write(odd);
    session.write('.\r\n');
    await session.reply(250);
    const mail = server.mails.at(-1);
    expect(mail).toMatchObject({
      envelope: { sender: 'ann@peer.example', recipients: [{ judged: inboundAddress }], smtpUtf8: false },
      peer: { address: '127.0.0.1', helo: 'peer.example' },
      tls: expect.stringMatching(/^TLSv1\.3 TLS_/),
    });
    expect(mail?.source.equals(odd)).toBe(true);
    expect(mail?.spooled).toBe(0);
  });

  test('that is large goes through the spool, and leaves nothing there', async () => {
    using session = await greeted();
    const line = `${'x'.repeat(998)}\r\n`.repeat(1_000);
    await session.envelope('ann@peer.example', ['app@inbound.example']);
    for (let index = 0; index < 3; index++) session.write(line);
    session.write('.\r\n');
    await session.reply(250);
    const mail = server.mails.at(-1);
    expect(mail?.size).toBe(3 * line.length);
    expect(mail?.source.toString()).toBe(line.repeat(3));
    expect(mail?.spooled).toBe(1);
    expect(await server.spooled()).toBe(0);
  });

  test('that is too large, or that ends amid it, leaves nothing anywhere', async () => {
    await using small = await inboundServer({ limits: { messageBytes: 1_000_000, drainMs: 100 } });
    const line = `${'x'.repeat(998)}\r\n`.repeat(400);
    using session = await greeted(small.port);
    expect((await session.command('MAIL FROM:<a@peer.example> SIZE=1000001')).code).toBe(552);
    await session.envelope('a@peer.example', ['app@inbound.example']);
    for (let index = 0; index < 3; index++) session.write(line);
    session.write('.\r\n');
    expect(await session.reply()).toMatchObject({ code: 552 });
    using cut = await greeted(small.port);
    await cut.envelope('a@peer.example', ['app@inbound.example']);
    cut.write(line);
    while ((await small.spooled()) === 0) await systemClock.sleep(10);
    cut.destroy();
    while ((await small.spooled()) > 0) await systemClock.sleep(10);
    expect(small.mails).toEqual([]);
  });

  test('that could not be stored is not acknowledged, and refused where the receiver says so', async () => {
    let failure: Error = new Error('the database is away');
    await using failing = await inboundServer({ receiver: { receive: () => Promise.reject(failure) } });
    using session = await greeted(failing.port);
    await session.envelope('a@peer.example', ['app@inbound.example']);
    session.write('x\r\n.\r\n');
    expect(await session.reply()).toMatchObject({ code: 451 });
    failure = new SmtpRefusal(550, '5.7.1', 'This sender is blocked');
    await session.envelope('a@peer.example', ['app@inbound.example']);
    session.write('x\r\n.\r\n');
    expect(await session.reply()).toEqual({ code: 550, text: '5.7.1 This sender is blocked' });
  });

  test('is acknowledged when it is durable and not before', async () => {
    const durable = Promise.withResolvers<void>();
    await using slow = await inboundServer({ receiver: { receive: () => durable.promise } });
    using session = await greeted(slow.port);
    await session.envelope('a@peer.example', ['app@inbound.example']);
    session.write('x\r\n.\r\n');
    await systemClock.sleep(200);
    expect(session.unread).toEqual([]);
    durable.resolve();
    await session.reply(250);
  });
});

describe('a storm', () => {
  test('of notifications from one network is told to come later; other mail is not', async () => {
    await using limited = await inboundServer({ limits: { notices: { capacity: 3, perSecond: 0.001 } } });
    for (let index = 0; index < 3; index++) {
      using session = await greeted(limited.port);
      await session.envelope('', ['app@inbound.example']);
      session.write('x\r\n.\r\n');
      await session.reply(250);
    }
    using session = await greeted(limited.port);
    expect(await session.command('MAIL FROM:<>')).toMatchObject({ code: 450 });
    await session.command('MAIL FROM:<ann@peer.example>', 250);
  });

  test('of unknown recipients ends the session, over all sessions of a network', async () => {
    await using limited = await inboundServer({ limits: { strangers: { capacity: 3, perSecond: 0.001 } } });
    for (let index = 0; index < 3; index++) {
      using session = await greeted(limited.port);
      await session.command('MAIL FROM:<a@peer.example>', 250);
      await session.command('RCPT TO:<nobody@inbound.example>', 550);
    }
    using session = await greeted(limited.port);
    await session.command('MAIL FROM:<a@peer.example>', 250);
    await session.command('RCPT TO:<nobody@inbound.example>', 421);
    await session.closed();
  });

  test('of recipients is cut at the limit', async () => {
    const known = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`r${index}@inbound.example`, inboundAddress]),
    );
    await using limited = await inboundServer({ known, limits: { recipients: 10 } });
    using session = await greeted(limited.port);
    await session.command('MAIL FROM:<a@peer.example>', 250);
    for (let index = 0; index < 10; index++) await session.command(`RCPT TO:<r${index}@inbound.example>`, 250);
    await session.command('RCPT TO:<r10@inbound.example>', 452);
  });
});
