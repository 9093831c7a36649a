// TLS reports from the session to the addressee: counted by workers, sent by one node, read by our own reader.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { sendDueReports } from '#/maintenance/tls-reports.ts';
import { parseReport } from '#/mail/reports/read-report.ts';
import { createHttpClient } from '#/runtime/http-client.ts';
import { createTrust } from '#/runtime/trust.ts';
import { FakeClock, turn } from '../support/fake-clock.ts';
import { stsPolicy } from '../support/policy-server.ts';
import { selfSigned } from '../support/private-ca.ts';
import { receiver, type TlsScene, tlsScene, withPolicy } from '../support/tls-scene.ts';

const MX = 'mx.receiver.example';
const FROM = 'Acme <noreply@acme.example>';
const zone = { ...receiver('receiver.example', [MX]), ...withPolicy('receiver.example', '1') };
const asks = (rua: string) => ({ '_smtp._tls.receiver.example': { TXT: [`v=TLSRPTv1; rua=${rua}`] } });
const DAY = 86_400_000;

/** Noon: nothing of a test lies beyond its day. */
const noon = () => new FakeClock(new Date(`${new Date().toISOString().slice(0, 10)}T12:00:00Z`));

async function sendOne(scene: TlsScene, to = 'ann@receiver.example') {
  const id = await scene.world.send({ to: [to] });
  return (await scene.attempts(id))[0];
}

const rows = (scene: TlsScene) =>
  scene.world.deps.db
    .selectFrom('tlsSessionCounts')
    .select(['domain', 'policyType', 'result', 'receivingHost', 'sessions'])
    .orderBy('result')
    .execute();
const due = (scene: TlsScene) => scene.world.deps.db.selectFrom('tlsReportsDue').selectAll().execute();

/** Until the workers have written down what they counted. */
async function counted(scene: TlsScene, clock: FakeClock, least = 1) {
  await expect
    .poll(async () => {
      await turn(clock, 30_000, () => scene.world.inFlight);
      return (await rows(scene)).length;
    })
    .toBeGreaterThanOrEqual(least);
}

describe('nothing is counted', () => {
  test('for a domain that asks for nothing; it is asked once a day', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock, reports: true });
    scene.dns.setZone({ ...zone, ...receiver('other.example', [MX]), ...asks('mailto:tls@receiver.example') });
    scene.world.startEngine();
    await sendOne(scene, 'bob@other.example');
    await sendOne(scene, 'eve@other.example');
    await sendOne(scene);
    await counted(scene, clock);
    expect((await rows(scene)).map(({ domain }) => domain)).toEqual(['receiver.example']);
    expect(scene.dns.queries('_smtp._tls.other.example')).toBe(1);
  });

  test('where reports are off', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock });
    scene.dns.setZone({ ...zone, ...asks('mailto:tls@receiver.example') });
    scene.world.startEngine();
    await sendOne(scene);
    await clock.advance(60_000);
    expect(scene.dns.queries('_smtp._tls.receiver.example')).toBe(0);
    expect(await rows(scene)).toEqual([]);
  });
});

describe('a session', () => {
  test('counts once for a domain, however much mail goes over it', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock, reports: true });
    scene.dns.setZone({ ...zone, ...asks('mailto:tls@receiver.example') });
    scene.world.startEngine();
    for (let mail = 0; mail < 5; mail++) await sendOne(scene);
    await counted(scene, clock);
    const sum = (await rows(scene)).reduce((total, { sessions }) => total + sessions, 0);
    expect(sum).toBe(scene.peer.connections);
    expect(await rows(scene)).toEqual([
      { domain: 'receiver.example', policyType: 'sts', result: 'success', receivingHost: '', sessions: sum },
    ]);
  });

  test.each([
    ['enforced and not met', 'enforce', 'sts', 'certificate-not-trusted', MX],
    ['in testing and not met', 'testing', 'sts', 'certificate-not-trusted', MX],
    ['that could not be read', 'nonsense', 'sts', 'sts-policy-invalid', ''],
  ])(
    'under a policy %s counts as a failure with its reason',
    async (_what, mode, policyType, result, receivingHost) => {
      const clock = noon();
      await using scene = await tlsScene({ clock, reports: true, policy: stsPolicy(mode, [MX]) });
      scene.peer.setScript({ certificate: selfSigned([MX]) });
      scene.dns.setZone({ ...zone, ...asks('mailto:tls@receiver.example') });
      scene.world.startEngine();
      await sendOne(scene);
      await counted(scene, clock);
      expect(await rows(scene)).toContainEqual({
        domain: 'receiver.example',
        policyType,
        result,
        receivingHost,
        sessions: 1,
      });
      expect(await due(scene)).toHaveLength(1);
    },
  );
});

describe('the report', () => {
  test('goes by mail, once, some hours after the day, where TLS is broken too', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock, reports: true });
    scene.dns.setZone({ ...zone, ...asks('mailto:tls@receiver.example') });
    const engine = scene.world.startEngine();
    await sendOne(scene);
    await counted(scene, clock);
    const { deps } = scene.world;
    const reporting = { system: deps.system, deps, from: FROM };
    expect(await sendDueReports(reporting)).toBe(0);
    scene.peer.setScript({ startTls: 'off' });
    // A leap is as long as what wakes on the way.
    await engine[Symbol.asyncDispose]();
    await clock.advance(DAY);
    // The first makes the stream, and comes again.
    expect(await sendDueReports(reporting)).toBe(1);
    expect(await due(scene)).toHaveLength(1);
    await clock.advance(3 * 3_600_000);
    const before = scene.peer.messages.length;
    scene.world.startEngine();
    await Promise.all([sendDueReports(reporting), sendDueReports(reporting)]);
    expect(await due(scene)).toEqual([]);
    expect(await rows(scene)).toEqual([]);
    await expect
      .poll(async () => {
        await turn(clock, 8_000, () => scene.world.inFlight);
        return scene.peer.messages.length;
      })
      .toBe(before + 1);
    const mail = scene.peer.messages.at(-1);
    expect(mail).toMatchObject({ recipients: ['tls@receiver.example'], secure: false });
    expect(mail?.raw.toString()).toMatch(/^TLS-Report-Submitter: acme\.example\r$/m);
    expect(mail?.raw.toString()).not.toMatch(/^X-Veredus/im);
    const read = await parseReport(mail?.raw ?? Buffer.alloc(0));
    expect(read).toMatchObject({
      ok: true,
      kind: 'tls',
      report: { policies: [{ type: 'sts', successful: 1, failed: 0 }] },
    });
    // Nor does the report make another one.
    await clock.advance(60_000);
    expect(await rows(scene)).toEqual([]);
  });

  test('goes by HTTPS; one that is not taken is tried again, and the others do not get it twice', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock, reports: true });
    const bodies: Buffer[] = [];
    let status = 503;
    const certificate = scene.ca.issue({ names: ['reports.receiver.example'] });
    const https = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url === '/one' || status < 300) bodies.push(Buffer.concat(chunks));
        response.writeHead(request.url === '/one' ? 200 : status).end();
      });
    });
    await new Promise<void>((done) => https.listen(0, '127.0.0.1', done));
    const base = `https://reports.receiver.example:${(https.address() as AddressInfo).port}`;
    scene.dns.setZone({
      ...zone,
      ...asks(`${base}/one,${base}/two`),
      'reports.receiver.example': { A: ['127.0.0.1'] },
    });
    const engine = scene.world.startEngine();
    await sendOne(scene);
    await counted(scene, clock);
    // A leap is as long as what wakes on the way.
    await engine[Symbol.asyncDispose]();
    await clock.advance(DAY);
    const trust = createTrust(scene.ca.certificate.cert);
    const { deps } = scene.world;
    await using http = createHttpClient({ dns: deps.dns, clock, allowPrivateNetworks: true, trust });
    const reporting = { system: deps.system, deps: { ...deps, http }, from: null };
    await sendDueReports(reporting);
    expect(bodies).toHaveLength(1);
    status = 204;
    await clock.advance(3 * 3_600_000);
    await sendDueReports(reporting);
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toEqual(bodies[0]);
    expect(await parseReport(bodies[0] ?? Buffer.alloc(0))).toMatchObject({ ok: true, kind: 'tls' });
    expect(await due(scene)).toEqual([]);
    https.closeAllConnections();
    await new Promise<void>((done) => https.close(() => done()));
  });

  test('does not go to private networks', async () => {
    const clock = noon();
    await using scene = await tlsScene({ clock, reports: true });
    scene.dns.setZone({
      ...zone,
      ...asks('https://reports.receiver.example/'),
      'reports.receiver.example': { A: ['127.0.0.1'] },
    });
    const engine = scene.world.startEngine();
    await sendOne(scene);
    await counted(scene, clock);
    // A leap is as long as what wakes on the way.
    await engine[Symbol.asyncDispose]();
    await clock.advance(DAY);
    const { deps } = scene.world;
    await sendDueReports({ system: deps.system, deps, from: null });
    expect(await due(scene)).toHaveLength(1);
  });
});
