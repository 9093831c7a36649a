// The SMTP client against a peer that keeps the rules, and one that breaks each of them.
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { SmtpSession } from '#/runtime/ports.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createSmtpClient } from '#/runtime/smtp-client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { at, dial, mail, open, plain, short } from '../support/smtp-client.ts';
import { type PeerAnswer, type SmtpPeer, startSmtpPeer } from '../support/smtp-peer.ts';

describe.each([
  ['pipelined', ['PIPELINING', ...plain]],
  ['one by one', plain],
])('%s:', (_, extensions) => {
  test.each<[string, string, object]>([
    [
      'MAIL',
      '452 4.3.1 Full',
      { phase: 'mail', reply: { code: 452, enhancedCode: '4.3.1' }, recipientReplies: [null] },
    ],
    ['MAIL', '550 5.7.1 No', { phase: 'mail', reply: { code: 550 }, recipientReplies: [null] }],
    [
      'RCPT',
      '550 5.1.1 Unknown',
      {
        phase: 'rcpt',
        reply: { code: 550 },
        recipientReplies: [{ code: 550, enhancedCode: '5.1.1', text: 'Unknown' }],
      },
    ],
    ['RCPT', '451 Later', { phase: 'rcpt', reply: { code: 451 } }],
    ['DATA', '451 4.3.0 Later', { phase: 'data', reply: { code: 451 }, recipientReplies: [{ code: 250 }] }],
    ['DATA', '554 No', { phase: 'data', reply: { code: 554 } }],
    [
      '.',
      '451 4.7.1 Greylisted',
      { phase: 'final-dot', reply: { code: 451, enhancedCode: '4.7.1' }, recipientReplies: [{ code: 250 }] },
    ],
    ['.', '550 5.7.1 Spam', { phase: 'final-dot', reply: { code: 550 } }],
  ])('%s answered %j: nothing in doubt, and the session takes the next message', async (verb, answer, expected) => {
    await using peer = await startSmtpPeer({ extensions, ...at(verb, answer) });
    const session = await open(peer);
    expect(await session.send(mail())).toMatchObject({ ...expected, inDoubt: false, failure: null });
    expect(session.usable).toBe(true);
    peer.setScript({ answer: () => null });
    expect(await session.send(mail())).toMatchObject({ phase: 'final-dot', reply: { code: 250 }, inDoubt: false });
    expect(peer.messages).toHaveLength(1);
    expect(peer.connections).toBe(1);
    const resets = peer.log.filter((line) => line === 'RSET').length;
    expect(resets).toBe(verb === 'RCPT' || verb === 'DATA' ? 1 : 0);
  });

  test.each(['MAIL', 'RCPT', 'DATA'])('421 to %s: not in doubt, session over', async (verb) => {
    await using peer = await startSmtpPeer({
      extensions,
      ...at(verb, { reply: '421 4.3.2 Closing', closeAfter: true }),
    });
    const session = await open(peer);
    expect(await session.send(mail())).toMatchObject({
      phase: verb.toLowerCase(),
      reply: { code: 421 },
      inDoubt: false,
    });
    expect(session.usable).toBe(false);
    expect(await session.send(mail())).toMatchObject({
      reply: null,
      inDoubt: false,
      failure: expect.stringContaining('421'),
    });
  });

  test.each(['MAIL', 'RCPT', 'DATA'])('connection lost at %s: not in doubt', async (verb) => {
    await using peer = await startSmtpPeer({ extensions, ...at(verb, 'drop') });
    const session = await open(peer);
    const result = await session.send(mail());
    expect(result).toMatchObject({ phase: verb.toLowerCase(), reply: null, inDoubt: false });
    expect(result.failure).toMatch(/closed|ECONNRESET/);
    expect(session.usable).toBe(false);
  });

  test.each(['MAIL', 'RCPT', 'DATA'])('silence at %s: not in doubt', async (verb) => {
    await using peer = await startSmtpPeer({ extensions, ...at(verb, 'hang') });
    const session = await open(peer, { timeouts: { ...short, command: 300, data: 300 } });
    expect(await session.send(mail())).toMatchObject({
      phase: verb.toLowerCase(),
      reply: null,
      inDoubt: false,
      failure: 'no answer within 300 ms',
    });
  });

  test.each(['MAIL', 'RCPT', 'DATA'])('senseless reply at %s: failure, session over', async (verb) => {
    await using peer = await startSmtpPeer({ extensions, ...at(verb, verb === 'DATA' ? '250 ok?' : '354 what?') });
    const session = await open(peer);
    expect(await session.send(mail())).toMatchObject({ phase: verb.toLowerCase(), reply: null, inDoubt: false });
    expect(session.usable).toBe(false);
    expect(peer.seen).toEqual([]);
  });

  test('each recipient gets its own reply and the message goes to those accepted', async () => {
    await using peer = await startSmtpPeer({ extensions });
    const session = await open(peer);
    const recipients = ['a@x.example', 'bounce@x.example', 'defer+1@x.example', 'b@x.example', 'soft-bounce@x.example'];
    const result = await session.send(mail({ recipients }));
    expect(result.recipientReplies.map((reply) => reply?.code)).toEqual([250, 550, 451, 250, 452]);
    expect(result).toMatchObject({ phase: 'final-dot', reply: { code: 250 } });
    expect(peer.messages[0]?.recipients).toEqual(['a@x.example', 'b@x.example']);
    expect(peer.copies('<1@us.example>', 'a@x.example')).toBe(1);
    expect(peer.copies('<1@us.example>', 'bounce@x.example')).toBe(0);
  });

  test('many messages over one connection', async () => {
    await using peer = await startSmtpPeer({ extensions });
    const session = await open(peer);
    for (let n = 0; n < 50; n++)
      expect((await session.send(mail({ text: `Message-ID: <${n}@x>\r\n\r\n.${n}\r\n` }))).reply?.code).toBe(250);
    expect(peer.messages.map((message) => message.raw.toString())).toEqual(
      Array.from({ length: 50 }, (_, n) => `Message-ID: <${n}@x>\r\n\r\n.${n}\r\n`),
    );
    expect(peer.connections).toBe(1);
    await session.close();
    expect(peer.log).toContain('QUIT');
  });
});

test('354 to a pipelined DATA without recipients: the connection is dropped and no message made', async () => {
  await using peer = await startSmtpPeer({
    answer: ({ verb }) => (verb === 'RCPT' ? '550 5.1.1 No' : verb === 'DATA' ? '354 Go on' : null),
  });
  const session = await open(peer);
  expect(await session.send(mail())).toMatchObject({
    phase: 'rcpt',
    reply: { code: 550 },
    recipientReplies: [{ code: 550 }],
    inDoubt: false,
  });
  expect(session.usable).toBe(false);
  await peer.until(() => peer.openConnections === 0);
  expect(peer.seen).toEqual([]);
});

test('RSET refused: the session is not used for another message', async () => {
  await using peer = await startSmtpPeer({ answer: ({ verb }) => (verb === 'RSET' ? '500 no' : null) });
  const session = await open(peer);
  await session.send(mail({ recipients: ['bounce@x.example'] }));
  expect(await session.send(mail())).toMatchObject({ phase: 'rset', reply: { code: 500 }, inDoubt: false });
  expect(session.usable).toBe(false);
  expect(peer.seen).toEqual([]);
});

describe('in doubt', () => {
  test('only when the connection is lost after the dot', async () => {
    await using peer = await startSmtpPeer(at('.', 'drop'));
    const session = await open(peer);
    expect(await session.send(mail())).toMatchObject({ phase: 'final-dot', reply: null, inDoubt: true });
    expect(peer.seen).toHaveLength(1);
    expect(session.usable).toBe(false);
  });

  test.each<[string, PeerAnswer]>([
    ['half a reply', { reply: '250-2.0.0 Accep', closeAfter: true }],
    ['garbage', 'Thanks!'],
    ['a senseless 354', '354 More?'],
  ])('after the dot with %s', async (_, answer) => {
    await using peer = await startSmtpPeer(at('.', answer));
    expect(await (await open(peer)).send(mail())).toMatchObject({ phase: 'final-dot', reply: null, inDoubt: true });
  });

  describe.each([
    ['the real clock', systemClock],
    ['a clock that stands still', new FakeClock()],
  ])('by %s', (_, clock) => {
    async function session(peer: SmtpPeer, timeouts: Partial<typeof short>): Promise<SmtpSession> {
      const target = { host: 'mail.example.test', address: '127.0.0.1', port: peer.port };
      const timed = createSmtpClient({ clock });
      const result = await timed.connect(target, {
        heloName: 'us.example',
        tls: 'none',
        verifyCertificate: false,
        timeouts: { ...short, ...timeouts },
      });
      if (!result.ok) throw new Error(result.failure ?? 'no session');
      return result.session;
    }

    test('when the answer to the dot does not come in time', async () => {
      await using peer = await startSmtpPeer();
      const used = await session(peer, { finalDot: 400 });
      expect((await used.send(mail())).reply?.code).toBe(250);
      const release = peer.holdFinalDot();
      const start = performance.now();
      expect(await used.send(mail())).toMatchObject({
        phase: 'final-dot',
        inDoubt: true,
        failure: 'no answer within 400 ms',
      });
      expect(performance.now() - start).toBeGreaterThan(390);
      release();
    });

    test('not when a slow answer comes after all, with other timeouts long over', async () => {
      await using peer = await startSmtpPeer();
      const release = peer.holdFinalDot();
      const used = await session(peer, { command: 400, data: 400 });
      const result = used.send(mail());
      await peer.until(() => peer.seen.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 600));
      release();
      expect(await result).toMatchObject({ reply: { code: 250 }, inDoubt: false });
    });
  });

  test('not when it is a 421 that answers the dot', async () => {
    await using peer = await startSmtpPeer(at('.', { reply: '421 4.3.2 Closing', closeAfter: true }));
    const session = await open(peer);
    expect(await session.send(mail())).toMatchObject({ phase: 'final-dot', reply: { code: 421 }, inDoubt: false });
    expect(session.usable).toBe(false);
  });

  test('not when the connection is lost amid the content', async () => {
    await using peer = await startSmtpPeer({ dropAfterContentBytes: 300_000 });
    const text = 'x'.repeat(998).concat('\r\n').repeat(5_000);
    expect(await (await open(peer)).send(mail({ text }))).toMatchObject({
      phase: 'content',
      reply: null,
      inDoubt: false,
    });
    expect(peer.seen).toEqual([]);
  });

  test('not when the peer refuses amid the content', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    async function* endless() {
      yield Buffer.from('Subject: long\r\n');
      peer.say('552 5.3.4 Too large\r\n');
      await new Promise(() => {});
    }
    const result = await session.send(mail({ content: endless() }));
    expect(result).toMatchObject({ phase: 'content', reply: { code: 552, enhancedCode: '5.3.4' }, inDoubt: false });
    await peer.until(() => peer.openConnections === 0);
    expect(peer.seen).toEqual([]);
  });

  test('not when aborted before the dot, but when aborted after it', async () => {
    await using peer = await startSmtpPeer();
    const early = new AbortController();
    const first = (await open(peer, { signal: early.signal })).send(
      mail({ beforeFinalDot: async () => early.abort() }),
    );
    expect(await first).toMatchObject({ phase: 'content', inDoubt: false, failure: 'aborted' });
    const release = peer.holdFinalDot();
    const late = new AbortController();
    const second = (await open(peer, { signal: late.signal })).send(mail());
    await peer.until(() => peer.seen.length === 1);
    late.abort();
    expect(await second).toMatchObject({ phase: 'final-dot', inDoubt: true, failure: 'aborted' });
    release();
  });
});

describe('before the final dot', () => {
  test('the note is written first, and its failure stops the message', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    const result = await session.send(mail({ beforeFinalDot: () => Promise.reject(new Error('database gone')) }));
    expect(result).toMatchObject({
      phase: 'content',
      reply: null,
      inDoubt: false,
      failure: expect.stringContaining('database gone'),
    });
    await peer.until(() => peer.openConnections === 0);
    expect(peer.seen).toEqual([]);
  });

  test.each([1_000, 200_000])('the peer has no message of %i bytes until the note is written', async (size) => {
    await using peer = await startSmtpPeer();
    const noted = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    const session = await open(peer);
    const result = session.send(
      mail({
        text: 'x'
          .repeat(98)
          .concat('\r\n')
          .repeat(size / 100),
        beforeFinalDot: () => {
          called.resolve();
          return noted.promise;
        },
      }),
    );
    await called.promise;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(peer.seen).toEqual([]);
    noted.resolve();
    expect(await result).toMatchObject({ reply: { code: 250 } });
    expect(peer.seen[0]?.raw).toHaveLength(size);
  });

  test('a connection lost meanwhile is told after the note is settled', async () => {
    await using peer = await startSmtpPeer();
    const noted = Promise.withResolvers<void>();
    let settled = false;
    const session = await open(peer);
    const result = session.send(mail({ beforeFinalDot: () => noted.promise })).then((value) => ({ value, settled }));
    await peer.until(() => peer.log.includes('DATA'));
    peer.hangUp();
    await peer.until(() => peer.openConnections === 0);
    settled = true;
    noted.resolve();
    expect(await result).toMatchObject({ settled: true, value: { phase: 'content', inDoubt: false, reply: null } });
  });
});

describe('content', () => {
  test('arrives as it is, with lone dots, from any chunks', async () => {
    await using peer = await startSmtpPeer();
    const text = 'Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nend\r\n.\r\n';
    const session = await open(peer);
    await session.send(mail({ text }));
    await session.send(mail({ content: [...Buffer.from(text)].map((byte) => Uint8Array.of(byte)) }));
    expect(peer.messages.map((message) => message.raw.toString())).toEqual([text, text]);
  });

  test('never makes two messages of one: smuggling with bare line ends', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    for (const end of ['\n.\n', '\n.\r\n', '\r\n.\n', '\r\n.\r\n', '\r\n\0.\r\n']) {
      const text = `a${end}MAIL FROM:<evil@x>\r\nRCPT TO:<victim@x>\r\nDATA\r\nb\r\n`;
      expect((await session.send(mail({ text }))).reply?.code).toBe(250);
    }
    expect(peer.messages).toHaveLength(5);
    expect(peer.log.filter((line) => line.startsWith('MAIL FROM:<evil'))).toEqual([]);
  });

  test('of 8 MB arrives whole, from buffers and from a stream', async () => {
    await using peer = await startSmtpPeer();
    const block = Buffer.from('.'.repeat(98).concat('\r\n').repeat(1_000));
    async function* source() {
      for (let n = 0; n < 80; n++) yield block;
    }
    const session = await open(peer);
    const size = block.length * 80;
    const result = await session.send(mail({ content: source(), size }));
    expect(result.transcript).toContain(`C: <${size} bytes of content>`);
    await session.send(mail({ content: Array.from({ length: 80 }, () => block), size }));
    expect(peer.messages.map((message) => message.raw.length)).toEqual([size, size]);
    expect(peer.messages[0]?.raw.equals(peer.messages[1]?.raw ?? Buffer.alloc(0))).toBe(true);
  });

  test('whose source fails or hangs', async () => {
    await using peer = await startSmtpPeer();
    async function* broken() {
      yield Buffer.from('a\r\n');
      throw new Error('disk on fire');
    }
    const failed = await (await open(peer)).send(mail({ content: broken() }));
    expect(failed).toMatchObject({
      phase: 'content',
      inDoubt: false,
      failure: expect.stringContaining('disk on fire'),
    });
    const stop = new AbortController();
    async function* hanging() {
      yield Buffer.from('a\r\n');
      stop.abort();
      await new Promise(() => {});
    }
    const hung = await (await open(peer, { signal: stop.signal })).send(mail({ content: hanging() }));
    expect(hung).toMatchObject({ phase: 'content', inDoubt: false, failure: 'aborted' });
    expect(peer.seen).toEqual([]);
  });

  test('that a peer does not read runs into the data timeout', async () => {
    await using peer = await startSmtpPeer(at('DATA', { reply: '354 Go ahead', stopReading: true }));
    const session = await open(peer, { timeouts: { ...short, data: 300 } });
    // More than the kernel's buffers take.
    const block = Buffer.alloc(1_000_000, 'x');
    const result = await session.send(mail({ content: Array.from({ length: 40 }, () => block), size: 9_000_000 }));
    expect(result).toMatchObject({ phase: 'content', inDoubt: false, failure: 'no answer within 300 ms' });
  });

  test('goes through TLS whole', async () => {
    await using peer = await startSmtpPeer({ startTls: 'offer' });
    const session = await open(peer, { tls: 'required' });
    const text = '.line\r\n'.repeat(100_000);
    expect((await session.send(mail({ text }))).reply?.code).toBe(250);
    expect(peer.messages[0]?.raw.toString() === text).toBe(true);
  });
});

describe('commands', () => {
  test('carry SIZE, BODY and SMTPUTF8 as far as offered and needed', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    await session.send(mail({ eightBit: true, smtpUtf8: true, recipients: ['jürgen@x.example'] }));
    await session.send(mail({ reversePath: '' }));
    expect(peer.messages[0]).toMatchObject({
      parameters: `SIZE=${mail().size} BODY=8BITMIME SMTPUTF8`,
      recipients: ['jürgen@x.example'],
    });
    expect(peer.messages[1]).toMatchObject({ mailFrom: '', parameters: `SIZE=${mail().size}` });
    peer.setScript({ extensions: [] });
    await (await open(peer)).send(mail({ eightBit: true }));
    expect(peer.messages[2]?.parameters).toBe('');
  });

  test('leave together when pipelined', async () => {
    await using peer = await startSmtpPeer({ delayMs: 5 });
    const result = await (await open(peer)).send(mail());
    expect(result.transcript).toEqual([
      `C: MAIL FROM:<from@us.example> SIZE=${mail().size}`,
      'C: RCPT TO:<to@them.example>',
      'C: DATA',
      'S: 250 2.1.0 Sender ok',
      'S: 250 2.1.5 Recipient ok',
      'S: 354 Go ahead',
      `C: <${mail().size} bytes of content>`,
      'C: .',
      'S: 250 2.0.0 Accepted',
    ]);
  });

  test('are not sent for what the peer said it would refuse', async () => {
    await using peer = await startSmtpPeer({ extensions: ['PIPELINING', 'SIZE 100'] });
    const session = await open(peer);
    expect(await session.send(mail({ size: 101 }))).toMatchObject({
      phase: 'mail',
      reply: { code: 552, enhancedCode: '5.3.4' },
      recipientReplies: [null],
      inDoubt: false,
    });
    expect(await session.send(mail({ smtpUtf8: true }))).toMatchObject({
      phase: 'mail',
      reply: { code: 553, enhancedCode: '5.6.7' },
    });
    expect(session.usable).toBe(true);
    expect(peer.log.filter((line) => line.startsWith('MAIL'))).toEqual([]);
  });

  test.each(['a@x.example>\r\nRCPT TO:<victim@x.example', 'a\n@x.example', 'a\0@x.example'])(
    'never hold a line break: %j',
    async (address) => {
      await using peer = await startSmtpPeer();
      const session = await open(peer);
      await expect(session.send(mail({ recipients: [address] }))).rejects.toThrow(TypeError);
      await expect(session.send(mail({ reversePath: address }))).rejects.toThrow(TypeError);
      expect((await session.send(mail())).reply?.code).toBe(250);
      expect(peer.log.filter((line) => line.startsWith('RCPT'))).toHaveLength(1);
    },
  );

  test('to a thousand recipients fit, and the transcript stays short', async () => {
    await using peer = await startSmtpPeer();
    const recipients = Array.from({ length: 1_000 }, (_, n) => `r${n}@x.example`);
    const result = await (await open(peer)).send(mail({ recipients }));
    expect(result.recipientReplies.every((reply) => reply?.code === 250)).toBe(true);
    expect(result.transcript).toHaveLength(200);
    expect(peer.messages[0]?.recipients).toEqual(recipients);
  });
});

describe('an idle session', () => {
  /** The client learns of it within a turn or two of the event loop; nothing tells a test when. */
  async function unusable(session: SmtpSession): Promise<void> {
    while (session.usable) await new Promise((resolve) => setImmediate(resolve));
  }

  test('is over when the peer says 421 unasked', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    const sent = await session.send(mail());
    const lines = sent.transcript.length;
    peer.say('421 4.4.2 Idle too long\r\n');
    await unusable(session);
    expect(await session.send(mail())).toMatchObject({
      phase: 'mail',
      reply: null,
      inDoubt: false,
      failure: expect.stringContaining('421 4.4.2 Idle'),
    });
    expect(sent.transcript).toHaveLength(lines);
    await peer.until(() => peer.openConnections === 0);
  });

  test.each<[string, (peer: SmtpPeer) => void]>([
    ['closes', (peer) => peer.hangUp()],
    ['sends half a line', (peer) => peer.say('4')],
    ['sends another 250', (peer) => peer.say('250 Accepted\r\n')],
  ])('is over when the peer %s', async (_, act) => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    act(peer);
    await unusable(session);
    expect((await session.send(mail())).inDoubt).toBe(false);
    await session.close();
  });

  test('closes with QUIT, once, and does not wait for a silent peer for ever', async () => {
    await using peer = await startSmtpPeer(at('QUIT', 'hang'));
    const session = await open(peer, { timeouts: { ...short, command: 40 } });
    await Promise.all([session.close(), peer.until(() => peer.log.includes('QUIT'))]);
    expect(session.usable).toBe(false);
    await session.close();
    session.destroy();
    await peer.until(() => peer.openConnections === 0);
  });

  test.each(['none', 'required', 'implicit'] as const)(
    'leaves nothing on its signal once closed (TLS %s)',
    async (tls) => {
      await using peer = await startSmtpPeer({
        startTls: tls === 'required' ? 'offer' : 'off',
        implicitTls: tls === 'implicit',
      });
      const { signal } = new AbortController();
      const session = await open(peer, { tls, signal });
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      await session.close();
      await peer.until(() => peer.openConnections === 0);
      while (getEventListeners(signal, 'abort').length > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  );

  test('takes one message at a time', async () => {
    await using peer = await startSmtpPeer();
    const session = await open(peer);
    const first = session.send(mail());
    expect(session.usable).toBe(false);
    expect(await session.send(mail())).toMatchObject({ failure: 'the session is in use', inDoubt: false });
    expect((await first).reply?.code).toBe(250);
    expect(session.usable).toBe(true);
  });
});

test('dials from the local address it is told', async () => {
  await using peer = await startSmtpPeer();
  expect(await dial(peer, { localAddress: '127.0.0.2' })).toMatchObject({ ok: true });
  expect(await dial(peer, { localAddress: '192.0.2.1' })).toMatchObject({
    ok: false,
    phase: 'connect',
    failure: expect.stringContaining('EADDRNOTAVAIL'),
  });
});
