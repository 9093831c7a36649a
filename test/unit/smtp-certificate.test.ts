// The certificate of the SMTP servers: made once, shared by all processes, made anew in time.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSelfSigned } from '#/runtime/self-signed.ts';
import { obtainSmtpCertificate } from '#/runtime/smtp-certificate.ts';

const now = new Date('2026-11-22T10:00:00Z');
const clock = { now: () => now };
let root: string;
let folders = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'veredus-certificate-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const settings = (heloName = 'mail.acme.example', dataDir = join(root, String(folders++))) => ({
  dataDir,
  smtpTls: null,
  heloName,
});

test('a self-signed certificate is one that others read', () => {
  const { cert, key } = makeSelfSigned('mail.acme.example', now, 30);
  const read = new X509Certificate(cert);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(read.checkHost('mail.acme.example')).toBe('mail.acme.example');
  expect(read.checkHost('acme.example')).toBeUndefined();
  expect(read.ca).toBe(false);
  expect(read.validFromDate).toEqual(new Date('2026-11-22T09:00:00Z'));
  expect(read.validToDate).toEqual(new Date('2026-12-22T10:00:00Z'));
});

test('long names and late years fit', () => {
  const host = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
  const read = new X509Certificate(makeSelfSigned(host, new Date('2049-12-31T00:00:00Z'), 400).cert);
  expect(read.checkHost(host)).toBe(host);
  expect(read.validToDate.getUTCFullYear()).toBe(2051);
});

test('it is made once, whoever starts first, and for its owner’s eyes', async () => {
  const config = settings();
  const all = await Promise.all(Array.from({ length: 5 }, () => obtainSmtpCertificate(config, clock)));
  expect(new Set(all.map(({ cert }) => cert)).size).toBe(1);
  expect(await obtainSmtpCertificate(config, clock)).toEqual(all[0]);
  expect((await stat(join(config.dataDir, 'smtp-tls.pem'))).mode & 0o777).toBe(0o600);
});

test('it is made anew for another name, before it ends, and where the file is broken', async () => {
  const config = settings();
  const first = await obtainSmtpCertificate(config, clock);
  const renamed = await obtainSmtpCertificate(settings('other.example', config.dataDir), clock);
  expect(renamed.cert).not.toBe(first.cert);
  const late = { now: () => new Date(now.getTime() + (10 * 365 - 30) * 86_400_000) };
  const renewed = await obtainSmtpCertificate(settings('other.example', config.dataDir), late);
  expect(renewed.cert).not.toBe(renamed.cert);
  await writeFile(join(config.dataDir, 'smtp-tls.pem'), 'nonsense');
  expect((await obtainSmtpCertificate(config, clock)).cert).toContain('BEGIN CERTIFICATE');
});

test('the operator’s own is taken where there is one', async () => {
  const folder = new URL('../support/certs/', import.meta.url).pathname;
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  expect(await obtainSmtpCertificate({ ...settings(), smtpTls: files }, clock)).toEqual({
    cert: await readFile(files.cert, 'utf8'),
    key: await readFile(files.key, 'utf8'),
  });
});
