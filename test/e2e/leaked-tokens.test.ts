// A scanner's report to the real application, with its key among the settings: the token is dead, and who manages the
// account has mail.
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '#/runtime/config.ts';
import { startApp } from '../support/app.ts';
import { post } from '../support/graphql-client.ts';
import { listLog, type LogLine } from '../support/http-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'veredus-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const scanner = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = scanner.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const file = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const keysOf = (value: string) => loadConfig({ VEREDUS_LEAK_REPORT_KEYS: value }).leakReportKeys;

test('the keys of scanners are PEM, a file of it, or the list as GitHub publishes it', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
  const published = JSON.stringify({
    public_keys: [pem, other].map((key, index) => ({ key_identifier: `k${index}`, key, is_current: index === 0 })),
  });
  expect(loadConfig({}).leakReportKeys).toEqual([]);
  for (const value of [pem, file('one.pem', pem), pem.replaceAll('\n', '\\n')]) expect(keysOf(value)).toHaveLength(1);
  for (const value of [`${pem}\n${other.toString()}`, file('keys.json', published)])
    expect(keysOf(value)).toHaveLength(2);
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ type: 'spki', format: 'pem' });
  for (const value of [
    '/does/not/exist',
    file('empty.pem', ''),
    p384.toString(),
    rsa.toString(),
    pem.replace('M', '!'),
  ])
    expect(() => keysOf(value)).toThrow(ConfigError);
});

test('a signed report ends the token at once, and is mailed', async () => {
  const lines: LogLine[] = [];
  await using app = await startApp({ VEREDUS_LEAK_REPORT_KEYS: file('scanner.pem', pem) }, { log: listLog(lines) });
  const account = await app.account();
  const second = await app.another();
  const ask = (url: string) => post(url, account.serverToken, '{ server { name } }');
  for (const url of [app.url, second.url]) expect((await ask(url)).errors).toBeUndefined();
  const body = JSON.stringify([
    { token: account.serverToken, type: 'veredus_api_token', url: 'https://git.example/acme/app', source: 'content' },
  ]);
  const report = (signature: string) =>
    fetch(`${app.url}/tokens/leaked`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Github-Public-Key-Identifier': 'k0',
        'Github-Public-Key-Signature': signature,
      },
      body,
    });
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect((await report(sign('sha256', Buffer.from(body), stranger.privateKey).toString('base64'))).status).toBe(403);
  expect((await ask(app.url)).errors).toBeUndefined();
  const answer = await report(sign('sha256', Buffer.from(body), scanner.privateKey).toString('base64'));
  expect([answer.status, await answer.json()]).toMatchObject([200, [{ label: 'true_positive' }]]);
  for (const url of [app.url, second.url]) {
    await expect.poll(async () => (await ask(url)).errors?.[0]?.extensions?.['code']).toBe('UNAUTHENTICATED');
  }
  // No sender is set: its mails stand in the log.
  await app.node.deps.background.settled();
  const mail = lines.find(({ fields }) => Reflect.get(fields, 'to') === 'owner1@acme.example');
  expect(mail?.fields).toMatchObject({ subject: 'A token of Account 1 was found in the open and is revoked' });
  expect(JSON.stringify(mail?.fields)).toContain('https://git.example/acme/app');
});
