// Delivery signs last and in nobody's name without a key; bounces find their recipient by the reverse-path.
import { describe, expect, test } from 'vitest';
import type { ReturnPaths, SigningKeys } from '#/delivery/signing.ts';
import { encodeId } from '#/domain/ids.ts';
import { generateDkimKeys, readPrivateKey } from '#/mail/dkim/keys.ts';
import type { SigningKey } from '#/mail/dkim/sign.ts';
import { readVerp } from '#/mail/reverse-path.ts';
import { composeSource, readContents } from '#/resolvers/messages/message-content.ts';
import { readScope } from '#/db/scope.ts';
import { deliveryWorld } from '../support/delivery-world.ts';
import { verifyByMailauth } from '../support/dkim-verifiers.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startSmtpPeer } from '../support/smtp-peer.ts';

const relayTo = (port: number) =>
  ({ kind: 'relay', relay: { host: '127.0.0.1', port, tls: 'opportunistic', auth: null } }) as const;

const made = await generateDkimKeys();
const domain = 'acme.example';
const keys: readonly SigningKey[] = [
  { domain, selector: 'r', algorithm: 'rsa-sha256', privateKey: readPrivateKey(made.rsa.privateKey) },
  { domain, selector: 'e', algorithm: 'ed25519-sha256', privateKey: readPrivateKey(made.ed25519.privateKey) },
];
const published = new Map([
  ['r._domainkey.acme.example', made.rsa.record],
  ['e._domainkey.acme.example', made.ed25519.record],
]);

/** Keeps what it was asked for. */
function signingKeys(answer: () => readonly SigningKey[] | null) {
  const asked: string[] = [];
  const signing: SigningKeys = {
    async keysFor(accountId, name) {
      asked.push(`${accountId} ${name}`);
      return answer();
    },
  };
  return { signing, asked };
}

const secret = Buffer.alloc(32, 5);
const returnPaths = (host: string | null): ReturnPaths => ({ secret, returnPathFor: async () => host });
const unsigned = (raw: Buffer) => raw.toString('latin1').replace(/^(?:DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*)+/, '');

describe('a domain without a key', () => {
  test('sends nothing; the mail waits, says why, and goes when there is a key', async () => {
    const clock = new FakeClock();
    let current: readonly SigningKey[] | null = null;
    const { signing } = signingKeys(() => current);
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), clock, signing });
    world.startEngine();
    const id = await world.send({});
    const [, delayed] = await world.events(id, 2);
    expect(delayed).toMatchObject({
      type: 'DELAYED',
      data: { response: 'acme.example has no DKIM key in use: its records must be published and verified' },
    });
    expect(peer.connections).toBe(0);
    current = keys;
    await clock.advance(73_000);
    world.deps.channel.nudge('queue');
    await peer.until(({ messages }) => messages.length === 1);
    expect(peer.messages[0]?.raw.toString()).toMatch(/^DKIM-Signature: /);
  });

  test('is one whose keys are none, and one that cannot be asked about', async () => {
    await using peer = await startSmtpPeer();
    for (const answer of [
      () => [],
      () => {
        throw new Error('the database is away');
      },
    ]) {
      const { signing } = signingKeys(answer);
      await using world = await deliveryWorld({ outbound: relayTo(peer.port), signing });
      world.startEngine();
      const id = await world.send({});
      expect((await world.events(id, 2)).map(({ type }) => type)).toEqual(['ACCEPTED', 'DELAYED']);
    }
    expect(peer.connections).toBe(0);
  });
});

describe('a domain with keys', () => {
  test('signs each message once for all its recipients, with both', async () => {
    await using peer = await startSmtpPeer();
    const { signing, asked } = signingKeys(() => keys);
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), signing });
    const id = await world.send({
      to: ['ann@receiver.example', 'bob@receiver.example'],
      html: '<p>Grüße</p>',
      subject: 'Grüße',
    });
    world.startEngine();
    await peer.until(({ messages }) => messages.length === 2);
    expect(asked).toEqual([`${world.accountId} acme.example`]);
    const [first, second] = peer.messages;
    expect(first?.raw.equals(second?.raw ?? Buffer.alloc(0))).toBe(true);
    expect(first?.parameters).toContain(`SIZE=${first?.raw.length}`);
    const raw = first?.raw ?? Buffer.alloc(0);
    expect(await verifyByMailauth(raw, published)).toEqual([
      { selector: 'r', result: 'pass' },
      { selector: 'e', result: 'pass' },
    ]);
    const header = raw.toString('latin1', 0, raw.indexOf('\r\n\r\n'));
    expect(header).toContain(
      `:${encodeId('server', world.serverId)}:${encodeId('account', world.accountId)}:acme.example\r\n`,
    );
    expect(header.replace(/\r\n[ \t]+/g, '')).toMatch(/h=[^;]*feedback-id/);
    expect(header).not.toMatch(/^(?:Received|Bcc|Return-Path|Sender|X-)/im);
    expect(header).toContain(`Message-ID: <${encodeId('message', id)}@acme.example>`);
  });

  test('travels as the API shows its source, behind the signatures', async () => {
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), signing: signingKeys(() => keys).signing });
    world.startEngine();
    const id = await world.send({ text: 'a\n\n  b \n', headers: [{ name: 'List-Id', value: '<l.acme.example>' }] });
    await peer.until(({ messages }) => messages.length === 1);
    const scope = readScope(world.deps.db, { accountId: world.accountId, servers: null, streamId: null });
    const content = (await readContents(scope, [id])).get(id);
    const message = await world.deps.db.selectFrom('messages').selectAll().executeTakeFirstOrThrow();
    if (content === undefined) throw new Error('no content');
    expect(unsigned(peer.messages[0]?.raw ?? Buffer.alloc(0))).toBe(composeSource(message, content));
  });
});

test('without signing nothing is signed', async () => {
  await using peer = await startSmtpPeer();
  await using world = await deliveryWorld({ outbound: relayTo(peer.port) });
  world.startEngine();
  await world.send({});
  await peer.until(({ messages }) => messages.length === 1);
  expect(peer.messages[0]?.raw.toString()).toMatch(/^From: /);
});

describe('the reverse-path', () => {
  test('on a domain with a return path names the recipient', async () => {
    await using peer = await startSmtpPeer();
    const paths = returnPaths('bounces.acme.example');
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), returnPaths: paths });
    world.startEngine();
    const id = await world.send({ to: ['ann@receiver.example'], cc: ['bob@receiver.example'] });
    await peer.until(({ messages }) => messages.length === 2);
    for (const { mailFrom, recipients } of peer.messages) {
      expect(mailFrom).toMatch(/^msg_[^@]*@bounces\.acme\.example$/);
      const ordinal = recipients[0] === 'ann@receiver.example' ? 0 : 1;
      expect(readVerp(mailFrom, secret)).toMatchObject({ messageId: id, ordinal });
    }
  });

  test('without one is the From address', async () => {
    await using peer = await startSmtpPeer();
    await using world = await deliveryWorld({ outbound: relayTo(peer.port), returnPaths: returnPaths(null) });
    world.startEngine();
    await world.send({});
    await peer.until(({ messages }) => messages.length === 1);
    expect(peer.messages[0]?.mailFrom).toBe('noreply@acme.example');
  });
});
