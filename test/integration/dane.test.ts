// DANE (RFC 7672): keys published in DNS, where the resolver says that DNSSEC vouches for them.
import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { publicKeyInfo } from '#/runtime/smtp-client/dane.ts';
import type { DnsRecords } from '../support/dns-server.ts';
import { stsPolicy } from '../support/policy-server.ts';
import { privateCa, selfSigned, type TestCertificate, tlsaOf } from '../support/private-ca.ts';
import { type TlsScene, tlsScene, withPolicy } from '../support/tls-scene.ts';

const MX = 'mx.receiver.example';
const NAME = (port: number) => `_${port}._tcp.${MX}`;

function publish(scene: TlsScene, tlsa: DnsRecords | 'SERVFAIL' | 'hang', certificate?: TestCertificate): void {
  scene.dns.setZone({ 'receiver.example': { MX: [`10 ${MX}`], secure: true } });
  scene.dns.set({ [MX]: { A: ['127.0.0.1'], secure: true }, [NAME(scene.peer.port)]: tlsa });
  if (certificate !== undefined) scene.peer.setScript({ certificate });
  scene.world.startEngine();
}

async function sendOne(scene: TlsScene) {
  const id = await scene.world.send({ to: ['ann@receiver.example'] });
  const [attempt] = await scene.attempts(id);
  return attempt;
}

describe('what is published and not met defers', () => {
  test.each([
    ['no STARTTLS', 'starttls-not-supported'],
    ['another certificate', 'validation-failure'],
    ['a chain to another authority', 'validation-failure'],
    ['a chain to the authority, for another name', 'certificate-host-mismatch'],
    ['a chain to the authority, expired', 'certificate-expired'],
    ['an authority that is named and did not sign', 'validation-failure'],
  ])('%s', async (what, flaw) => {
    await using scene = await tlsScene({ dane: true });
    const { ca } = scene;
    const good = ca.issue({ names: [MX] });
    const [tlsa, certificate]: [string, TestCertificate] = (
      {
        'no STARTTLS': [tlsaOf(3, good), good],
        'another certificate': [tlsaOf(3, good), ca.issue({ names: [MX] })],
        'a chain to another authority': [tlsaOf(2, ca.certificate), privateCa().issue({ names: [MX] })],
        'a chain to the authority, for another name': [
          tlsaOf(2, ca.certificate),
          ca.issue({ names: ['evil.example'] }),
        ],
        'a chain to the authority, expired': [tlsaOf(2, ca.certificate), ca.issue({ names: [MX], from: -9, to: -1 })],
        'an authority that is named and did not sign': [
          tlsaOf(2, ca.certificate),
          behind(selfSigned([MX]), ca.certificate),
        ],
      } as Record<string, [string, TestCertificate]>
    )[what] ?? ['', good];
    if (what === 'no STARTTLS') scene.peer.setScript({ startTls: 'off' });
    publish(scene, { TLSA: [tlsa], secure: true }, certificate);
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tlsVerification: null,
      tlsPolicy: `DANE: ${flaw}`,
    });
    expect(scene.peer.seen).toEqual([]);
  });

  test.each([
    ['SERVFAIL', 'SERVFAIL' as const],
    ['silence', 'hang' as const],
  ])('%s about the records: the host is not dialled', async (_what, tlsa) => {
    await using scene = await tlsScene({ dane: true });
    publish(scene, tlsa);
    expect(await sendOne(scene)).toMatchObject({
      outcome: 'DEFERRED',
      tlsPolicy: 'DANE: dnssec-invalid',
      response: expect.stringContaining('its TLSA records could not be looked up'),
    });
    expect(scene.peer.connections).toBe(0);
  });

  test('though the MTA-STS policy of the domain is met', async () => {
    await using scene = await tlsScene({ dane: true });
    publish(scene, { TLSA: [tlsaOf(3, scene.ca.issue({ names: [MX] }))], secure: true });
    scene.dns.set(withPolicy('receiver.example', '1'));
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DEFERRED', tlsPolicy: 'DANE: validation-failure' });
  });

  test('records of which none is understood ask for encryption alone, and for that', async () => {
    await using scene = await tlsScene({ dane: true });
    const certificate = selfSigned(['elsewhere.example']);
    publish(scene, { TLSA: [tlsaOf(1, certificate), '3 7 1 00', '3 1 1 0011'], secure: true }, certificate);
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'NONE', tlsPolicy: 'DANE' });
    scene.peer.hangUp();
    scene.peer.setScript({ startTls: 'off' });
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DEFERRED', tlsPolicy: 'DANE: starttls-not-supported' });
  });
});

describe('what is met', () => {
  const spki = (der: Buffer) => publicKeyInfo(der) ?? Buffer.alloc(0);
  test.each([
    ['a leaf, whatever its name and date', 3, (leaf: TestCertificate) => tlsaOf(3, leaf)],
    [
      'a leaf by its key',
      3,
      ({ der }: TestCertificate) => `3 1 2 ${createHash('sha512').update(spki(der)).digest('hex')}`,
    ],
    ['a leaf as a whole', 3, ({ der }: TestCertificate) => `3 0 0 ${der.toString('hex')}`],
    ['an authority', 2, (_leaf: TestCertificate, ca: TestCertificate) => tlsaOf(2, ca)],
    [
      'an authority by its key',
      2,
      (_leaf: TestCertificate, ca: TestCertificate) => `2 1 0 ${spki(ca.der).toString('hex')}`,
    ],
  ])('%s', async (_what, usage, record) => {
    await using scene = await tlsScene({ dane: true });
    // Trusted by nobody: only DNS says that it is right.
    const ca = privateCa('Unknown');
    const leaf = usage === 3 ? ca.issue({ names: ['elsewhere.example'], from: -9, to: -1 }) : ca.issue({ names: [MX] });
    publish(
      scene,
      { TLSA: ['3 1 1 00', tlsaOf(3, scene.ca.certificate), record(leaf, ca.certificate)], secure: true },
      leaf,
    );
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'DANE', tlsPolicy: 'DANE' });
  });

  test('the authority that the peer leaves out may stand in DNS', async () => {
    await using scene = await tlsScene({ dane: true });
    const ca = privateCa('Unknown');
    const leaf = ca.issue({ names: [MX] });
    const alone = { ...leaf, cert: new X509Certificate(leaf.der).toString() };
    publish(scene, { TLSA: [`2 0 0 ${ca.certificate.der.toString('hex')}`], secure: true }, alone);
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'DANE' });
  });

  test('counts more than an MTA-STS policy that names other hosts', async () => {
    await using scene = await tlsScene({ dane: true, policy: stsPolicy('enforce', ['other.example']) });
    const leaf = selfSigned(['elsewhere.example']);
    publish(scene, { TLSA: [tlsaOf(3, leaf)], secure: true }, leaf);
    scene.dns.set(withPolicy('receiver.example', '1'));
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'DANE' });
  });
});

describe('what DNSSEC does not vouch for does not count', () => {
  const wrong = { TLSA: [tlsaOf(3, selfSigned(['nobody.example']))], secure: true };

  test('records without AD', async () => {
    await using scene = await tlsScene({ dane: true });
    publish(scene, { ...wrong, secure: false });
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsVerification: 'WEBPKI', tlsPolicy: null });
  });

  test('records of hosts that an unsigned zone names: they are not even asked for', async () => {
    await using scene = await tlsScene({ dane: true });
    publish(scene, wrong);
    scene.dns.set({ 'receiver.example': { MX: [`10 ${MX}`] } });
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsPolicy: null });
    expect(scene.dns.queries(NAME(scene.peer.port))).toBe(0);
  });

  test('records of a host whose addresses are unsigned', async () => {
    await using scene = await tlsScene({ dane: true });
    publish(scene, wrong);
    scene.dns.set({ [MX]: { A: ['127.0.0.1'] } });
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsPolicy: null });
    expect(scene.dns.queries(NAME(scene.peer.port))).toBe(0);
  });

  test('anything, unless the operator says that the resolver validates', async () => {
    await using scene = await tlsScene();
    publish(scene, wrong);
    expect(await sendOne(scene)).toMatchObject({ outcome: 'DELIVERED', tlsPolicy: null });
    expect(scene.dns.queries(NAME(scene.peer.port))).toBe(0);
  });
});

/** The leaf with a certificate behind it that did not sign it. */
function behind(leaf: TestCertificate, other: TestCertificate): TestCertificate {
  return { ...leaf, cert: leaf.cert + other.cert };
}
