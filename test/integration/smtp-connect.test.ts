// How the SMTP client gets a session, or not: greeting, EHLO, STARTTLS, AUTH.
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isLoopback } from '#/runtime/smtp-client/authenticate.ts';
import { at, client, dial, mail, open, short } from '../support/smtp-client.ts';
import { type PeerScript, startSmtpPeer } from '../support/smtp-peer.ts';

describe('connecting fails with its phase', () => {
  test('to a port where nobody listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    await new Promise((resolve) => server.close(resolve));
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await dial({ port })).toMatchObject({
      ok: false,
      phase: 'connect',
      reply: null,
      failure: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('to a name instead of an address', async () => {
    const result = await client.connect(
      { host: 'localhost', address: 'localhost', port: 25 },
      { heloName: 'x', tls: 'none', verifyCertificate: false },
    );
    expect(result).toMatchObject({ ok: false, phase: 'connect' });
  });

  test.each<[string, Partial<PeerScript>, object]>([
    [
      'greeting 554',
      { greeting: '554 5.7.1 No mail from you' },
      { phase: 'greeting', reply: { code: 554, enhancedCode: '5.7.1' } },
    ],
    [
      'greeting 421',
      { greeting: { reply: '421 Busy', closeAfter: true } },
      { phase: 'greeting', reply: { code: 421 } },
    ],
    ['greeting dropped', { greeting: 'drop' }, { phase: 'greeting', reply: null }],
    [
      'greeting garbage',
      { greeting: 'SSH-2.0-OpenSSH_9' },
      { phase: 'greeting', failure: expect.stringContaining('not an SMTP reply') },
    ],
    [
      'greeting that talks ahead',
      { greeting: '220 hi\r\n250 and more' },
      { phase: 'ehlo', failure: expect.stringContaining('out of turn') },
    ],
    ['EHLO 450', at('EHLO', '450 Later'), { phase: 'ehlo', reply: { code: 450 } }],
    ['EHLO dropped', at('EHLO', 'drop'), { phase: 'ehlo', reply: null }],
    [
      'endless EHLO',
      at('EHLO', { raw: '250-X\r\n'.repeat(20_000) }),
      { phase: 'ehlo', failure: expect.stringMatching(/lines|bytes/) },
    ],
    [
      'endless line',
      at('EHLO', { raw: '2'.repeat(100_000) }),
      { phase: 'ehlo', failure: expect.stringContaining('bytes') },
    ],
  ])('%s', async (_, script, expected) => {
    await using peer = await startSmtpPeer(script);
    expect(await dial(peer)).toMatchObject({ ok: false, ...expected });
    await peer.until(() => peer.openConnections === 0);
  });

  test.each(['greeting', 'ehlo'])('when the peer is silent at %s', async (phase) => {
    await using peer = await startSmtpPeer(phase === 'greeting' ? { greeting: 'hang' } : at('EHLO', 'hang'));
    const result = await dial(peer, { timeouts: { ...short, greeting: 300, command: 300 } });
    expect(result).toMatchObject({ ok: false, phase, failure: 'no answer within 300 ms' });
  });

  test('when it is aborted', async () => {
    await using peer = await startSmtpPeer({ greeting: 'hang' });
    const stop = new AbortController();
    const result = dial(peer, { signal: stop.signal });
    await peer.until(() => peer.connections === 1);
    stop.abort();
    expect(await result).toMatchObject({ ok: false, failure: 'aborted' });
    expect(await dial(peer, { signal: stop.signal })).toMatchObject({
      ok: false,
      phase: 'connect',
      failure: 'aborted',
    });
  });
});

test('EHLO refused: HELO, and no extensions', async () => {
  await using peer = await startSmtpPeer(at('EHLO', '502 What?'));
  const session = await open(peer);
  expect([...session.extensions]).toEqual([]);
  expect((await session.send(mail())).reply?.code).toBe(250);
  expect(peer.log).toContain('MAIL FROM:<from@us.example>');
});

describe('STARTTLS', () => {
  test('offered: used, checked against nothing, EHLO said anew and old extensions forgotten', async () => {
    await using peer = await startSmtpPeer({
      startTls: 'offer',
      answer: (command, session) => (command.verb === 'EHLO' && session.secure ? '250-peer\r\n250 AFTER' : null),
    });
    const session = await open(peer, { tls: 'opportunistic' });
    expect(session.tls).toMatch(/^TLSv1\.3 TLS_/);
    expect([...session.extensions]).toEqual(['AFTER']);
    await session.send(mail());
    expect(peer.messages[0]?.secure).toBe(true);
    await session.close();
    await peer.until(() => peer.openConnections === 0);
  });

  test('certificate that does not verify: failure where it must verify', async () => {
    await using peer = await startSmtpPeer({ startTls: 'offer' });
    expect(await dial(peer, { tls: 'required', verifyCertificate: true })).toMatchObject({
      ok: false,
      phase: 'starttls',
      tls: null,
      failure: expect.stringContaining('certificate'),
    });
  });

  test('not offered: plain text if opportunistic, failure if required', async () => {
    await using peer = await startSmtpPeer();
    expect((await open(peer, { tls: 'opportunistic' })).tls).toBeNull();
    expect(await dial(peer, { tls: 'required' })).toMatchObject({ ok: false, phase: 'starttls', reply: null });
  });

  test('refused', async () => {
    await using peer = await startSmtpPeer({ startTls: 'offer', ...at('STARTTLS', '454 4.7.0 TLS not available') });
    expect(await dial(peer, { tls: 'opportunistic' })).toMatchObject({
      ok: false,
      phase: 'starttls',
      reply: { code: 454 },
    });
  });

  test.each(['opportunistic', 'required'] as const)('handshake broken (%s)', async (tls) => {
    await using peer = await startSmtpPeer({ startTls: 'break' });
    expect(await dial(peer, { tls })).toMatchObject({ ok: false, phase: 'starttls', reply: null, tls: null });
  });

  test('plain text injected behind the 220: failure', async () => {
    await using peer = await startSmtpPeer({ startTls: 'inject' });
    expect(await dial(peer, { tls: 'opportunistic' })).toMatchObject({
      ok: false,
      phase: 'starttls',
      failure: expect.stringContaining('out of turn'),
    });
    expect(peer.log.filter((line) => line.startsWith('EHLO'))).toHaveLength(1);
  });

  test('implicit TLS, and a plain server in its place', async () => {
    await using peer = await startSmtpPeer({ implicitTls: true });
    const session = await open(peer, { tls: 'implicit' });
    expect(session.tls).toMatch(/^TLSv1\.3/);
    expect((await session.send(mail())).reply?.code).toBe(250);
    await using other = await startSmtpPeer();
    expect(await dial(other, { tls: 'implicit' })).toMatchObject({ ok: false, phase: 'starttls' });
  });
});

describe('AUTH', () => {
  const auth = { user: 'us', password: 'hunter2-secret' };

  test.each([
    ['PLAIN', null],
    ['LOGIN', '250-peer\r\n250 AUTH LOGIN'],
  ])('%s lets us in and leaves no trace of the password', async (_, ehlo) => {
    await using peer = await startSmtpPeer({ auth, answer: (command) => (command.verb === 'EHLO' ? ehlo : null) });
    const result = await dial(peer, { auth });
    if (!result.ok) throw new Error(result.failure ?? '');
    await result.session.send(mail());
    expect(peer.messages[0]?.user).toBe('us');
    expect(result.transcript.join('\n')).toContain('***');
    expect(result.transcript.join('\n')).not.toMatch(/hunter2|aHVudGVyMi1zZWNyZXQ=|AHVzAGh1bnRlcjItc2VjcmV0/);
  });

  test('refused, with the password echoed by the peer', async () => {
    await using peer = await startSmtpPeer({
      auth,
      answer: (command) => (command.verb === 'AUTH' ? `535 5.7.8 ${command.line} hunter2-secret` : null),
    });
    const result = await dial(peer, { auth });
    expect(result).toMatchObject({
      ok: false,
      phase: 'auth',
      reply: { code: 535, enhancedCode: '5.7.8', text: 'AUTH PLAIN *** ***' },
    });
    expect(JSON.stringify(result)).not.toMatch(/hunter2|AHVzAGh1bnRlcjItc2VjcmV0/);
  });

  test('not offered', async () => {
    await using peer = await startSmtpPeer();
    expect(await dial(peer, { auth })).toMatchObject({ ok: false, phase: 'auth', reply: null });
  });

  test.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['1.127.0.1', false],
    ['2001:db8::127.0.0.1', false],
  ])('in plain text to %s: %s', (address, allowed) => {
    expect(isLoopback(address)).toBe(allowed);
  });

  test('over TLS', async () => {
    await using peer = await startSmtpPeer({ auth, startTls: 'offer' });
    await (await open(peer, { auth, tls: 'required' })).send(mail());
    expect(peer.messages[0]).toMatchObject({ secure: true, user: 'us' });
  });
});
