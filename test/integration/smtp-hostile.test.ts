// What the SMTP servers do with peers that mean harm: smuggling, injection, floods, slowness. On the protocol alone, with
// handlers that keep what they get.
import { createConnection } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '#/runtime/clock.ts';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import { collect, MemoryBudget } from '#/smtp/protocol/collect.ts';
import { COMMON_LIMITS, type ListenerLimits } from '#/smtp/protocol/limits.ts';
import { type SessionHandlers, SmtpListener } from '#/smtp/protocol/listener.ts';
import { SmtpRefusal } from '#/smtp/protocol/refusal.ts';
import { Dialogue } from '../support/smtp-dialogue.ts';
import { silentLog } from '../support/silent-log.ts';

const tls = makeSelfSigned('localhost', new Date(), 30);
const MOST = 1024 * 1024;
const running: SmtpListener[] = [];

interface Server {
  readonly port: number;
  readonly listener: SmtpListener;
  readonly messages: string[];
}

async function start(
  limits: Partial<ListenerLimits> = {},
  handlers: Partial<SessionHandlers> = {},
  implicitTls = false,
): Promise<Server> {
  const messages: string[] = [];
  const all = { ...COMMON_LIMITS, messageBytes: MOST, drainMs: 100, ...limits };
  const budget = new MemoryBudget(all.bytesInMemory);
  const listener = new SmtpListener({
    name: 'mx.example',
    tls,
    implicitTls,
    limits: all,
    clock: systemClock,
    log: silentLog,
    handlers: {
      mail: () => Promise.resolve(),
      recipient: ({ address }) =>
        address.startsWith('bad') ? Promise.reject(new SmtpRefusal(550, '5.1.1', 'no')) : Promise.resolve(),
      async message(stream) {
        const tooLarge = () => new SmtpRefusal(552, '5.3.4', 'large');
        using taken = await collect(stream, { most: MOST, budget, tooLarge });
        messages.push(taken.bytes.toString('latin1'));
        return '2.0.0 Accepted';
      },
      ...handlers,
    },
  });
  running.push(listener);
  return { port: await listener.start(0, '127.0.0.1'), listener, messages };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.stop()));
});

async function greeted(port: number): Promise<Dialogue> {
  const session = await Dialogue.open(port);
  await session.command('EHLO peer.example', 250);
  return session;
}

const TAIL = 'MAIL FROM:<evil@peer.example>\r\nRCPT TO:<victim@mx.example>\r\nDATA\r\nsmuggled\r\n.\r\n';

describe('smuggling', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['LF.LF', '\n.\n'],
    ['LF.CRLF', '\n.\r\n'],
    ['CRLF.LF', '\r\n.\n'],
    ['CR.CR', '\r.\r'],
    ['CR.CRLF', '\r.\r\n'],
    ['CRLF.CR', '\r\n.\r'],
    ['CRLF NUL .CRLF', '\r\n\0.\r\n'],
    ['CRLF.NUL CRLF', '\r\n.\0\r\n'],
    ['LF.CR LF with a second LF', '\n\n.\r\n'],
    ['CRLF . CRLF with spaces', '\r\n. \r\n'],
  ];

  test.each(forms)('%s ends no message, however it is cut into packets', async (_name, end) => {
    const { port, messages } = await start();
    for (const cut of [0, 1, 2, 3, 4]) {
      using session = await greeted(port);
      await session.envelope('a@peer.example', ['b@mx.example']);
      const bytes = `Subject: x\r\n\r\nfirst${end}${TAIL.replaceAll('\r\n.\r\n', '')}`;
      const at = bytes.indexOf(end) + cut;
      session.write(bytes.slice(0, at));
      await systemClock.sleep(5);
      session.write(bytes.slice(at));
      session.write('\r\n.\r\n');
      await session.reply(250);
      await session.command('NOOP', 250);
      expect(session.unread).toEqual([]);
    }
    expect(messages).toHaveLength(5);
    expect(messages.every((message) => message.includes('smuggled'))).toBe(true);
  });

  test('dots survive, whatever the packets', async () => {
    const { port, messages } = await start();
    const lines = ['.', '..', '.x', 'a', '', '...', '.\t', '.'].join('\r\n');
    const stuffed = `${lines.replace(/^\./gm, '..')}\r\n.\r\n`;
    for (let size = 1; size <= 7; size++) {
      using session = await greeted(port);
      await session.envelope('a@peer.example', ['b@mx.example']);
      for (let at = 0; at < stuffed.length; at += size) {
        session.write(stuffed.slice(at, at + size));
        await systemClock.sleep(0);
      }
      await session.reply(250);
    }
    expect(new Set(messages)).toEqual(new Set([`${lines}\r\n`]));
  });
});

describe('STARTTLS', () => {
  test('drops what came in plain text after it', async () => {
    const { port, messages } = await start();
    const session = await Dialogue.open(port);
    await session.command('EHLO peer.example', 250);
    session.write(`STARTTLS\r\nEHLO evil.example\r\n${TAIL}NOOP\r\n`);
    await session.reply(220);
    // The octets behind it are no handshake: either they are dropped, or the connection is.
    await session.upgrade().catch(() => undefined);
    await systemClock.sleep(100);
    expect(session.unread).toEqual([]);
    expect(messages).toEqual([]);
    session.destroy();
  });

  test('forgets all that was said before', async () => {
    const { port } = await start();
    using session = await greeted(port);
    await session.command('MAIL FROM:<a@peer.example>', 250);
    await session.startTls();
    expect((await session.command('RCPT TO:<b@mx.example>')).code).toBe(503);
    await session.command('EHLO peer.example', 250);
    expect((await session.command('RCPT TO:<b@mx.example>')).code).toBe(503);
    expect((await session.command('STARTTLS')).code).toBeGreaterThanOrEqual(500);
  });
});

describe('floods', () => {
  test('of sessions: those beyond the limit hear 421', async () => {
    const { port } = await start({ sessions: 3 });
    const sessions = await Promise.all([1, 2, 3].map(() => greeted(port)));
    using more = await Dialogue.open(port, { greeting: false });
    expect(await more.reply()).toMatchObject({ code: 421 });
    await more.closed();
    for (const session of sessions) session.destroy();
  });

  test('of one network: those beyond hear 421, and there is room again when some have gone', async () => {
    const { port, listener } = await start({ sessionsOfNetwork: 2 });
    const sessions = await Promise.all([1, 2].map(() => greeted(port)));
    using more = await Dialogue.open(port, { greeting: false });
    await more.reply(421);
    for (const session of sessions) session.destroy();
    while (listener.openSessions.size > 0) await systemClock.sleep(10);
    using again = await greeted(port);
    expect(again.ended).toBe(false);
  });

  test('of 2,000 sockets that say nothing: none beyond the limit is kept', { timeout: 60_000 }, async () => {
    const { port, listener } = await start({ sessions: 200, sessionsOfNetwork: 10_000 });
    const sockets = await Promise.all(
      Array.from({ length: 2_000 }, async () => {
        const socket = createConnection(port, '127.0.0.1');
        socket.on('error', () => {});
        await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
        socket.resume();
        return socket;
      }),
    );
    while (listener.openSessions.size > 200) await systemClock.sleep(20);
    expect(listener.openSessions.size).toBeLessThanOrEqual(200);
    for (const socket of sockets) socket.destroy();
  });

  test('of refused recipients: the session ends', async () => {
    const { port } = await start({ refusedRecipients: 5 });
    using session = await greeted(port);
    await session.command('MAIL FROM:<a@peer.example>', 250);
    for (let index = 0; index < 5; index++) await session.command(`RCPT TO:<bad${index}@mx.example>`, 550);
    await session.command('RCPT TO:<b@mx.example>', 421);
    await session.closed();
  });

  test('of commands without a message: the session ends', async () => {
    const { port } = await start({ idleCommands: 10 });
    using session = await greeted(port);
    session.write('NOOP\r\n'.repeat(50));
    for (let index = 0; index < 9; index++) await session.reply(250);
    await session.reply(421);
    await session.closed();
  });

  test('of commands that do not exist: the session ends', async () => {
    const { port } = await start();
    using session = await greeted(port);
    session.write('XYZZY\r\n'.repeat(50));
    await session.closed();
  });

  test('of octets without a line end: the session ends', async () => {
    const { port } = await start();
    using session = await greeted(port);
    session.write('x'.repeat(64 * 1024));
    await session.closed();
    expect(session.unread.join('')).toMatch(/^421/);
  });

  test('of content: more than twice the limit is not listened to', async () => {
    const { port, listener } = await start({ messageBytes: 64 * 1024 });
    using session = await greeted(port);
    await session.envelope('a@peer.example', ['b@mx.example']);
    const line = `${'x'.repeat(998)}\r\n`.repeat(64);
    while (!session.ended) {
      session.write(line);
      await systemClock.sleep(20);
    }
    while (listener.openSessions.size > 0) await systemClock.sleep(20);
  });

  test('of messages at once: what memory has no room for comes again later', async () => {
    const { port } = await start({ bytesInMemory: 100_000 });
    const line = `${'x'.repeat(998)}\r\n`;
    using first = await greeted(port);
    await first.envelope('a@peer.example', ['b@mx.example']);
    first.write(line.repeat(80));
    await systemClock.sleep(100);
    using second = await greeted(port);
    await second.envelope('a@peer.example', ['b@mx.example']);
    second.write(`${line.repeat(80)}.\r\n`);
    expect(await second.reply()).toMatchObject({ code: 452 });
    first.write('.\r\n');
    await first.reply(250);
    await second.envelope('a@peer.example', ['b@mx.example']);
    second.write(`${line.repeat(80)}.\r\n`);
    await second.reply(250);
  });
});

describe('slowness', () => {
  test('an octet now and then is no command: the session ends', async () => {
    const { port } = await start({ idleMs: 1_500 });
    using session = await greeted(port);
    const startedAt = performance.now();
    while (!session.ended && performance.now() - startedAt < 10_000) {
      session.write('N');
      await systemClock.sleep(200);
    }
    expect(session.ended).toBe(true);
    expect(session.unread.join('')).toMatch(/^421/);
  });

  test('half a handshake is none, however slowly it goes on; and there are only so many', async () => {
    const { port, listener } = await start({ handshakeMs: 1_500, sessions: 5 }, {}, true);
    const sockets = Array.from({ length: 10 }, () => {
      const socket = createConnection(port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    // The beginning of a ClientHello that never ends.
    for (const socket of sockets) socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    const startedAt = performance.now();
    let most = 0;
    while (sockets.some(({ destroyed }) => !destroyed) && performance.now() - startedAt < 10_000) {
      most = Math.max(most, listener._pendingSockets.size);
      for (const socket of sockets) if (!socket.destroyed) socket.write(Buffer.from([0]));
      await systemClock.sleep(200);
    }
    expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
    expect(most).toBeLessThanOrEqual(5);
    using whole = await Dialogue.open(port, { tls: true });
    await whole.command('EHLO peer.example', 250);
  });

  test('half a handshake after STARTTLS ends the session too', async () => {
    const { port, listener } = await start({ idleMs: 1_500 });
    const session = await Dialogue.open(port);
    await session.command('STARTTLS', 220);
    session.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
    const startedAt = performance.now();
    while (listener.openSessions.size > 0 && performance.now() - startedAt < 12_000) {
      session.write(Uint8Array.of(0));
      await systemClock.sleep(200);
    }
    expect(listener.openSessions.size).toBe(0);
    session.destroy();
  });

  test('an octet now and then is no message either', async () => {
    const { port, messages } = await start({ dataGraceMs: 1_000, dataBytesPerSecond: 100 });
    using session = await greeted(port);
    await session.envelope('a@peer.example', ['b@mx.example']);
    const startedAt = performance.now();
    while (!session.ended && performance.now() - startedAt < 10_000) {
      session.write('x');
      await systemClock.sleep(100);
    }
    expect(session.ended).toBe(true);
    expect(messages).toEqual([]);
  });

  test('a message that takes too long in all is given up', async () => {
    const { port } = await start({ dataMs: 1_000 });
    using session = await greeted(port);
    await session.envelope('a@peer.example', ['b@mx.example']);
    const startedAt = performance.now();
    while (!session.ended && performance.now() - startedAt < 10_000) {
      session.write('x'.repeat(990));
      await systemClock.sleep(50);
    }
    expect(session.ended).toBe(true);
  });
});

describe('the end', () => {
  test('of the peer amid a message brings nothing', async () => {
    const { port, messages, listener } = await start();
    const session = await greeted(port);
    await session.envelope('a@peer.example', ['b@mx.example']);
    session.write('Subject: x\r\n\r\nhalf');
    await systemClock.sleep(50);
    session.destroy();
    while (listener.openSessions.size > 0) await systemClock.sleep(10);
    expect(messages).toEqual([]);
  });

  test('of the server waits for the message that is being stored, and tells the others', async () => {
    const stored = Promise.withResolvers<void>();
    const { port, listener } = await start(
      { drainMs: 5_000 },
      {
        async message(stream) {
          for await (const _chunk of stream);
          await stored.promise;
          return '2.0.0 Accepted';
        },
      },
    );
    using busy = await greeted(port);
    await busy.envelope('a@peer.example', ['b@mx.example']);
    busy.write('Subject: x\r\n\r\nHi\r\n.\r\n');
    using idle = await greeted(port);
    await systemClock.sleep(50);
    const stopped = listener.stop();
    await idle.reply(421);
    stored.resolve();
    await busy.reply(250);
    await stopped;
  });

  test('a defect is a temporary failure, and the session goes on', async () => {
    const { port } = await start({}, { message: () => Promise.reject(new Error('secret detail')) });
    using session = await greeted(port);
    await session.envelope('a@peer.example', ['b@mx.example']);
    session.write('Subject: x\r\n\r\nHi\r\n.\r\n');
    const { code, text } = await session.reply();
    expect(code).toBe(451);
    expect(text).not.toContain('secret');
    await session.command('NOOP', 250);
  });
});
