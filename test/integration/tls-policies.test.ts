// What a connection must be before mail goes over it: streams that demand TLS, MTA-STS, and what goes without. With real
// certificates, a real policy host and a real name server.
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { stsPolicy } from '../support/policy-server.ts';
import { selfSigned } from '../support/private-ca.ts';
import { receiver, type TlsScene, tlsScene, withPolicy } from '../support/tls-scene.ts';

const MX = 'mx.receiver.example';
const plainReceiver = receiver('receiver.example', [MX]);
const enforcing = { ...plainReceiver, ...withPolicy('receiver.example', '1') };

async function sendOne(scene: TlsScene, to = 'ann@receiver.example', clock?: FakeClock) {
  const id = await scene.world.send({ to: [to] });
  for (let made = 1; ; made++) {
    const [attempt] = await scene.attempts(id, made, clock);
    // After a leap of the clock permits have run out (shaper.ts), and what was not tried comes again.
    if (clock === undefined || !attempt?.response?.startsWith('no connection may be opened')) return attempt;
    await turn(clock, 8_000, () => scene.world.inFlight);
  }
}

const requireTls = (scene: TlsScene) =>
  scene.world.deps.db.updateTable('messageStreams').set({ tlsPolicy: 'REQUIRE_TLS' }).execute();

describe('a stream that requires TLS', () => {
  test.each([
    ['STARTTLS is stripped', { startTls: 'off' } as const, 'starttls-not-supported', /does not offer STARTTLS/],
    ['the handshake breaks', { startTls: 'break' } as const, 'validation-failure', /REQUIRE_TLS is not met/],
    ['words are put in before the handshake', { startTls: 'inject' } as const, null, /spoke out of turn/],
  ])('%s: deferred, and nothing is said in plain text', async (_what, peer, flaw, reason) => {
    await using scene = await tlsScene({ peer });
    scene.dns.setZone(plainReceiver);
    await requireTls(scene);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tls: null,
      tlsVerification: null,
      tlsPolicy: flaw === null ? null : `REQUIRE_TLS: ${flaw}`,
      response: expect.stringMatching(reason),
    });
    expect(scene.peer.seen).toEqual([]);
    expect(scene.peer.log.filter((line) => line.startsWith('MAIL'))).toEqual([]);
  });

  test.each([
    ['expired', 'certificate-expired', /has expired/],
    ['for another name', 'certificate-host-mismatch', /is not for mx\.receiver\.example/],
    ['signed by itself', 'certificate-not-trusted', /signed by nobody who is trusted/],
    ['with the name as common name alone', 'certificate-host-mismatch', /is not for/],
  ])('the certificate is %s: deferred with the reason', async (kind, flaw, reason) => {
    await using scene = await tlsScene();
    const { ca } = scene;
    const certificates: Record<string, () => { cert: string; key: string }> = {
      expired: () => ca.issue({ names: [MX], from: -30, to: -1 }),
      'for another name': () => ca.issue({ names: ['other.example'] }),
      'signed by itself': () => selfSigned([MX]),
      'with the name as common name alone': () => ca.issue({ names: [], common: MX }),
    };
    scene.peer.setScript({ certificate: certificates[kind]?.() ?? {} });
    scene.dns.setZone(plainReceiver);
    await requireTls(scene);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tlsPolicy: `REQUIRE_TLS: ${flaw}`,
      response: expect.stringMatching(reason),
    });
    expect(scene.peer.seen).toEqual([]);
  });

  test('a 454, and a 502, to STARTTLS defer and bounce nobody', async () => {
    await using scene = await tlsScene();
    scene.dns.setZone(plainReceiver);
    await requireTls(scene);
    scene.world.startEngine();
    for (const reply of ['454 4.7.0 TLS not available', '502 5.5.1 What?']) {
      scene.peer.setScript({ answer: ({ verb }) => (verb === 'STARTTLS' ? reply : null) });
      expect(await sendOne(scene)).toMatchObject({
        outcome: 'DEFERRED',
        tlsPolicy: 'REQUIRE_TLS: starttls-not-supported',
      });
    }
    // Nor is the site suspended for those who ask nothing of TLS.
    expect(await scene.world.deps.db.selectFrom('shapingMeasures').selectAll().execute()).toEqual([]);
  });

  test('a certificate that verifies is good, and the policy is taken from the stream as it is now', async () => {
    await using scene = await tlsScene();
    scene.dns.setZone(plainReceiver);
    await requireTls(scene);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DELIVERED',
      tls: expect.stringMatching(/^TLSv1\.3 /),
      tlsVerification: 'WEBPKI',
      tlsPolicy: 'REQUIRE_TLS',
    });
  });
});

describe('a domain that enforces its MTA-STS policy', () => {
  test.each([
    ['no STARTTLS', () => ({ startTls: 'off' }) as const, 'starttls-not-supported'],
    [
      'an expired certificate',
      ({ ca }: TlsScene) => ({ certificate: ca.issue({ names: [MX], from: -30, to: -1 }) }),
      'certificate-expired',
    ],
    ['a certificate of its own making', () => ({ certificate: selfSigned([MX]) }), 'certificate-not-trusted'],
    [
      'the certificate of another',
      ({ ca }: TlsScene) => ({ certificate: ca.issue({ names: ['evil.example'] }) }),
      'certificate-host-mismatch',
    ],
  ])('%s: deferred, with the policy as the reason', async (_what, script, flaw) => {
    await using scene = await tlsScene();
    scene.peer.setScript(script(scene));
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tlsPolicy: `MTA-STS enforce: ${flaw}`,
      response: expect.stringMatching(/^MTA-STS enforce is not met: /),
    });
    expect(scene.peer.seen).toEqual([]);
  });

  test('hosts that the policy does not name are not dialled', async () => {
    await using scene = await tlsScene();
    scene.dns.setZone({ ...enforcing, ...receiver('receiver.example', ['mx.evil.example']) });
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tlsPolicy: 'MTA-STS enforce: validation-failure',
      response: "mx.evil.example is not among the mail exchangers of the domain's MTA-STS policy",
    });
    expect(scene.peer.connections).toBe(0);
    scene.dns.setZone({ ...enforcing, ...receiver('late.example', ['mx.evil.example', MX]) });
    scene.dns.set({ ...withPolicy('late.example', '1') });
    scene.policies.use(scene.ca.issue({ names: ['mta-sts.late.example'] }));
    expect(await sendOne(scene, 'bob@late.example')).toMatchObject({
      outcome: 'DELIVERED',
      remoteHost: MX,
      tlsVerification: 'MTA_STS',
    });
  });

  test('one that is met is told on the attempt', async () => {
    await using scene = await tlsScene();
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DELIVERED',
      tlsVerification: 'MTA_STS',
      tlsPolicy: 'MTA-STS enforce',
    });
    expect(scene.policies.asked).toEqual(['mta-sts.receiver.example']);
    expect(scene.peer.messages[0]?.secure).toBe(true);
  });

  test('it keeps back its own mail alone: another domain at the same mail exchanger gets its mail, over its own connection', async () => {
    await using scene = await tlsScene();
    scene.peer.setScript({ certificate: selfSigned([MX]) });
    scene.dns.setZone({ ...enforcing, ...receiver('other.example', [MX]) });
    scene.world.startEngine();
    const [kept, gone] = await Promise.all([sendOne(scene), sendOne(scene, 'bob@other.example')]);
    expect(kept).toMatchObject({ outcome: 'DEFERRED' });
    expect(gone).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'NONE', tlsPolicy: null });
    scene.peer.setScript({ certificate: scene.ca.issue({ names: [MX] }) });
    const before = scene.peer.connections;
    await Promise.all([sendOne(scene, 'eve@receiver.example'), sendOne(scene, 'ben@other.example')]);
    const last = scene.peer.messages.slice(-2);
    expect(new Set(last.map(({ connection }) => connection)).size).toBe(2);
    expect(scene.peer.connections).toBeGreaterThan(before);
  });

  test('a stream that prefers delivery is not kept back', async () => {
    await using scene = await tlsScene({ peer: { startTls: 'off' } });
    scene.dns.setZone(enforcing);
    await scene.world.deps.db.updateTable('messageStreams').set({ tlsPolicy: 'PREFER_DELIVERY' }).execute();
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tls: null });
  });

  test('a relay is the operator’s own: no policy is asked for', async () => {
    await using scene = await tlsScene({ policy: stsPolicy('none', []) });
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'WEBPKI', tlsPolicy: null });
  });
});

describe('the policy', () => {
  test.each([
    ['a redirect', 302, { location: 'https://elsewhere.example/' }, ''],
    ['an error', 500, {}, ''],
    ['HTML', 200, { 'content-type': 'text/html' }, stsPolicy('enforce', ['no.example'])],
    [
      'one that is too long',
      200,
      { 'content-type': 'text/plain' },
      `${stsPolicy('enforce', ['no.example'])}x: ${'y'.repeat(70_000)}`,
    ],
    ['nonsense', 200, { 'content-type': 'text/plain' }, 'version: STSv1'],
  ])('%s is none, and mail goes', async (_what, status, headers, body) => {
    await using scene = await tlsScene({ peer: { startTls: 'off' } });
    scene.policies.answer = (response) => void response.writeHead(status, headers).end(body);
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tls: null, tlsPolicy: null });
    expect(scene.policies.asked).toHaveLength(1);
  });

  test.each([
    ['for another name', (scene: TlsScene) => scene.ca.issue({ names: ['www.receiver.example'] })],
    ['signed by itself', () => selfSigned(['mta-sts.receiver.example'])],
    ['expired', (scene: TlsScene) => scene.ca.issue({ names: ['mta-sts.receiver.example'], from: -9, to: -1 })],
  ])('from a host whose certificate is %s is none', async (_what, certificate) => {
    await using scene = await tlsScene({ peer: { startTls: 'off' } });
    scene.policies.use(certificate(scene));
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tls: null });
    expect(scene.policies.asked).toEqual([]);
  });

  test('outlives the worker, a silent policy host and a lost TXT record, until its time is over', async () => {
    const clock = new FakeClock(new Date());
    await using scene = await tlsScene({ clock, policy: stsPolicy('enforce', [MX], 3_600) });
    scene.dns.setZone(enforcing);
    const first = scene.world.startEngine();
    await sendOne(scene, 'ann@receiver.example', clock);
    await first[Symbol.asyncDispose]();
    scene.peer.setScript({ startTls: 'off' });
    scene.policies.answer = (response) => void response.destroy();
    scene.dns.set({ '_mta-sts.receiver.example': 'SERVFAIL' });
    scene.world.startEngine();
    expect(await sendOne(scene, 'ann@receiver.example', clock)).toMatchObject({
      outcome: 'DEFERRED',
      tlsPolicy: 'MTA-STS enforce: starttls-not-supported',
    });
    scene.dns.set({ '_mta-sts.receiver.example': { TXT: ['v=STSv1; id=2;'] } });
    await turn(clock, 11 * 60_000);
    expect(await sendOne(scene, 'ann@receiver.example', clock)).toMatchObject({ outcome: 'DEFERRED' });
    await scene.world.deps.db.updateTable('mtaStsPolicies').set({ expiresAt: clock.now() }).execute();
    await turn(clock, 3_600_000);
    expect(await sendOne(scene, 'ann@receiver.example', clock)).toMatchObject({
      outcome: 'DELIVERED',
      tls: null,
      tlsPolicy: null,
    });
  });

  test('with another id is fetched anew', async () => {
    const clock = new FakeClock(new Date());
    await using scene = await tlsScene({ clock });
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    await sendOne(scene, 'ann@receiver.example', clock);
    scene.policies.answer = stsPolicy('testing', ['no.example']);
    scene.dns.set({ '_mta-sts.receiver.example': { TXT: ['v=STSv1; id=2;'] } });
    await turn(clock, 11 * 60_000);
    // The kept one is used while the new one is fetched.
    await sendOne(scene, 'ann@receiver.example', clock);
    await expect.poll(() => scene.policies.asked.length).toBe(2);
    const row = () => scene.world.deps.db.selectFrom('mtaStsPolicies').selectAll().executeTakeFirst();
    await expect.poll(async () => (await row())?.policyId).toBe('2');
    // The worker has what it wrote a moment after others can read it.
    await expect
      .poll(() => sendOne(scene, 'ann@receiver.example', clock))
      .toMatchObject({ tlsPolicy: 'MTA-STS testing: validation-failure' });
  });

  test('in testing keeps nothing back, and tells what it would have', async () => {
    await using scene = await tlsScene({ policy: stsPolicy('testing', [MX]) });
    scene.dns.setZone(enforcing);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DELIVERED',
      tlsVerification: 'WEBPKI',
      tlsPolicy: 'MTA-STS testing',
    });
    scene.peer.hangUp();
    await expect.poll(() => scene.peer.openConnections).toBe(0);
    scene.peer.setScript({ certificate: selfSigned([MX]) });
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DELIVERED',
      tlsVerification: 'NONE',
      tlsPolicy: 'MTA-STS testing: certificate-not-trusted',
    });
  });

  test('is asked for once, however much mail there is; without one, DNS is asked once', async () => {
    await using scene = await tlsScene();
    scene.dns.setZone({ ...enforcing, ...receiver('other.example', [MX]) });
    scene.world.startEngine();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => sendOne(scene, `ann${n}@${n % 2 ? 'receiver' : 'other'}.example`)),
    );
    expect(scene.policies.asked).toHaveLength(1);
    expect(scene.dns.queries('_mta-sts.receiver.example')).toBe(1);
    expect(scene.dns.queries('_mta-sts.other.example')).toBe(1);
  });

  test('of a slow host delays nobody else', async () => {
    await using scene = await tlsScene();
    const asked: ServerResponse[] = [];
    scene.policies.answer = (response) => void asked.push(response);
    scene.dns.setZone({ ...enforcing, ...receiver('other.example', [MX]) });
    scene.world.startEngine();
    const slow = scene.world.send({ to: ['ann@receiver.example'] });
    expect(await sendOne(scene, 'bob@other.example')).toMatchObject({ outcome: 'DELIVERED' });
    expect(scene.policies.asked).toHaveLength(1);
    expect(await scene.world.statuses(await slow)).toEqual(['QUEUED']);
    // A worker that stops waits for what it has begun.
    for (const response of asked) response.destroy();
  });
});

describe('opportunistic', () => {
  test('a bad certificate fails nothing, and is not called good', async () => {
    await using scene = await tlsScene();
    scene.peer.setScript({ certificate: scene.ca.issue({ names: ['other.example'], from: -9, to: -1 }) });
    scene.dns.setZone(plainReceiver);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'NONE', tlsPolicy: null });
  });

  test('TLS 1.0 is better than none; not where the certificate counts', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    await using scene = await tlsScene();
    scene.peer.setScript({ certificate: { ...scene.ca.issue({ names: [MX] }), ...old } });
    scene.dns.setZone(plainReceiver);
    scene.world.startEngine();
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tls: expect.stringMatching(/^TLSv1 /) });
    await requireTls(scene);
    scene.world.deps.channel.nudge('config');
    await expect.poll(async () => (await sendOne(scene))?.tlsPolicy).toBe('REQUIRE_TLS: validation-failure');
  });

  test('broken TLS is tried once, and never trusted to be broken where TLS is demanded', async () => {
    const clock = new FakeClock(new Date());
    await using scene = await tlsScene({ peer: { startTls: 'break' }, clock });
    scene.dns.setZone(plainReceiver);
    scene.world.startEngine();
    const hellos = () => scene.peer.log.filter((line) => line === 'STARTTLS').length;
    expect(await sendOne(scene, 'ann@receiver.example', clock)).toMatchObject({ outcome: 'DELIVERED', tls: null });
    expect(hellos()).toBe(1);
    scene.peer.hangUp();
    expect(await sendOne(scene, 'ann@receiver.example', clock)).toMatchObject({ outcome: 'DELIVERED', tls: null });
    expect(hellos()).toBe(1);
    await requireTls(scene);
    scene.world.deps.channel.nudge('config');
    await expect.poll(async () => (await sendOne(scene, 'ann@receiver.example', clock))?.outcome).toBe('DEFERRED');
  });
});
