// SPF, DKIM, DMARC and ARC of mail that came in, against a DNS server of the test.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signMessage } from '#/mail/dkim/sign.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createDns } from '#/runtime/dns.ts';
import { createMailAuthentication, type MailAuthentication } from '#/smtp/authentication/mail-authentication.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { silentLog } from '../support/silent-log.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');

let dns: DnsServer;
let judge: MailAuthentication;

beforeAll(async () => {
  dns = await startDnsServer({
    'peer.example': { TXT: ['v=spf1 ip4:192.0.2.0/24 mx -all'], MX: ['10 mx.peer.example'] },
    'mx.peer.example': { A: ['198.51.100.7'] },
    '_dmarc.peer.example': { TXT: ['v=DMARC1; p=reject'] },
    's1._domainkey.peer.example': { TXT: [`v=DKIM1; k=rsa; p=${p}`] },
    'slow.example': 'hang',
    'broken.example': 'SERVFAIL',
  });
  judge = createMailAuthentication({
    dns: createDns({ servers: [dns.address], timeoutMs: 300, clock: systemClock }),
    clock: systemClock,
    log: silentLog,
    host: 'mx.veredus.example',
    patienceMs: 5_000,
  });
});
afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  await dns.close();
});

const source = Buffer.from('From: Ann <ann@peer.example>\r\nTo: us@veredus.example\r\nSubject: Hi\r\n\r\nHello\r\n');
const asked = { sender: 'ann@peer.example', peerAddress: '192.0.2.9', helo: 'mail.peer.example' };

async function signed(): Promise<Buffer> {
  const keys = [{ domain: 'peer.example', selector: 's1', algorithm: 'rsa-sha256' as const, privateKey }];
  return Buffer.concat([await signMessage(source, source.indexOf('\r\n\r\n') + 4, keys, new Date()), source]);
}

describe('mail', () => {
  test('of somebody else fails', async () => {
    const results = await judge.authenticate({ ...asked, source, peerAddress: '203.0.113.1' });
    expect(results).toMatchObject({
      spf: { result: 'fail', domain: 'peer.example' },
      dkim: [],
      dmarc: { result: 'fail', domain: 'peer.example', policy: 'reject' },
      arc: { result: 'none' },
    });
  });

  test('that was changed on the way fails, and passes by SPF', async () => {
    const changed = Buffer.from((await signed()).toString('latin1').replace('Hello', 'Hallo'), 'latin1');
    const results = await judge.authenticate({ ...asked, source: changed });
    expect(results.dkim).toMatchObject([{ result: expect.stringMatching(/fail|neutral/), domain: 'peer.example' }]);
    expect(results.spf.result).toBe('pass');
    expect(results.dmarc?.result).toBe('pass');
  });

  test('with its signature passes from anywhere', async () => {
    const results = await judge.authenticate({ ...asked, source: await signed(), peerAddress: '203.0.113.1' });
    expect(results).toMatchObject({
      spf: { result: 'fail' },
      dkim: [{ result: 'pass', domain: 'peer.example', selector: 's1', aligned: true }],
      dmarc: { result: 'pass' },
    });
  });

  test('passes by an MX, over the installation’s DNS', async () => {
    expect((await judge.authenticate({ ...asked, source, peerAddress: '198.51.100.7' })).spf.result).toBe('pass');
  });

  test('whose domain cannot be asked is a temporary failure', async () => {
    for (const domain of ['broken.example', 'slow.example']) {
      const results = await judge.authenticate({ ...asked, source, sender: `a@${domain}` });
      expect(results.spf).toEqual({ result: 'temperror', domain });
    }
  });

  test('with nothing to it is nobody’s', async () => {
    for (const bytes of ['', '\r\n', '\0\0\0', 'From: \r\n\r\n', `From: ${'a'.repeat(100_000)}\r\n\r\n`]) {
      const results = await judge.authenticate({ ...asked, source: Buffer.from(bytes), sender: '', helo: '' });
      expect(results.dkim).toEqual([]);
    }
  });

  test('that comes all at once is judged all the same', async () => {
    const all = await Promise.all(Array.from({ length: 60 }, () => judge.authenticate({ ...asked, source })));
    expect(all.every(({ spf }) => spf.result === 'pass')).toBe(true);
  });

  test('asks for the same names once in a minute', async () => {
    await judge.authenticate({ ...asked, source });
    const before = dns.queries('peer.example', 'TXT');
    for (let index = 0; index < 5; index++) await judge.authenticate({ ...asked, source });
    expect(dns.queries('peer.example', 'TXT')).toBe(before);
  });
});
