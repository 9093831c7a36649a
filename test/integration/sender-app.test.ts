// The parts together: a domain from its adding to signed mail in a whole application, and the key that the program needs.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { type TestRecord, zoneOf } from '../support/domains.ts';
import { createDatabase } from '../support/postgres.ts';
import { environment } from '../support/program.ts';
import { startSmtpPeer } from '../support/smtp-peer.ts';

const program = join(import.meta.dirname, '../../bin/veredus');

test('a node whose key is not the one of its database is refused, and says why', async () => {
  await using database = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'veredus-nodes-'));
  const bootstrap = (dataDir: string, more: Readonly<Record<string, string>> = {}) =>
    promisify(execFile)(
      program,
      ['bootstrap', '--account', 'Acme', '--owner-email', 'o@acme.example', '--server', 'One'],
      {
        env: environment({
          VEREDUS_DATABASE_URL: database.connectionString,
          VEREDUS_DATA_DIR: join(folder, dataDir),
          VEREDUS_SECRET_KEY: '',
          ...more,
        }),
      },
    );
  try {
    await bootstrap('first');
    await expect(bootstrap('second')).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/VEREDUS_SECRET_KEY: .*sealed with another key/),
    });
    await bootstrap('second', { VEREDUS_SECRET_KEY_FILE: join(folder, 'first', 'secret.key') });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('mail of a domain that was added and seen is signed with both keys and travels under its return path', async () => {
  await using peer = await startSmtpPeer();
  await using dns = await startDnsServer();
  await using app = await startApp({
    VEREDUS_OUTBOUND: 'relay',
    VEREDUS_RELAY_URL: `smtp://127.0.0.1:${peer.port}`,
    VEREDUS_DNS_SERVERS: dns.address,
    VEREDUS_MAIL_HOST: 'mail.veredus.example',
  });
  const account = await app.account({ delivery: 'LIVE' });
  const call = async (token: string, query: string, variables: object) => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data }: { data: Record<string, { id: string; verified: boolean; records: TestRecord[] }> } = JSON.parse(
      await response.text(),
    );
    return data;
  };
  const fields = '... on Domain { id verified records { purpose type host value } }';
  const { addDomain } = await call(
    account.accountToken,
    `mutation ($input: AddDomainInput!) { addDomain(input: $input) { ${fields} } }`,
    { input: { accountId: account.ids.account, name: 'shop.example' } },
  );
  dns.setZone(zoneOf(addDomain?.records ?? []));
  const { verifyDomain } = await call(
    account.accountToken,
    `mutation ($id: ID!) { verifyDomain(input: { id: $id }) { ${fields} } }`,
    { id: addDomain?.id },
  );
  expect(verifyDomain?.verified).toBe(true);
  const input = {
    from: 'Shop <orders@shop.example>',
    to: ['ann@receiver.example'],
    subject: 'Thanks',
    text: 'It is on its way.',
  };
  await call(
    account.serverToken,
    'mutation ($input: SendEmailInput!) { sendEmail(input: $input) { ... on Message { id } } }',
    { input },
  );
  await expect.poll(() => peer.messages.length).toBe(1);
  const [message] = peer.messages;
  const source = message?.raw.toString('latin1').replace(/\r\n[ \t]+/g, ' ') ?? '';
  const signatures = source.match(/^DKIM-Signature: .*$/gm) ?? [];
  const selectors = signatures.map((signature) => /\bs=([a-z0-9]+)/.exec(signature)?.[1] ?? '').sort();
  const published = (addDomain?.records ?? [])
    .filter(({ purpose }) => purpose === 'DKIM')
    .map(({ host }) => host.slice(0, host.indexOf('.')))
    .sort();
  expect(selectors).toEqual(published);
  for (const signature of signatures) expect(signature).toContain('d=shop.example');
  expect(message?.mailFrom).toMatch(/^msg_[0-9a-z]{26}-0-[0-9a-z]{10}-[0-9a-z]{16}@vr-bounces\.shop\.example$/);
});
