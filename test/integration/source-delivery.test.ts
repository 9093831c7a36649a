// A message that came as one is delivered as it came: its own bytes, behind our signatures and what it lacked.
import { describe, expect, test } from 'vitest';
import { createTransport } from 'nodemailer';
import { encodeId } from '#/domain/ids.ts';
import type { SigningKeys } from '#/delivery/signing.ts';
import { generateDkimKeys, readPrivateKey } from '#/mail/dkim/keys.ts';
import { sendSource } from '#/resolvers/emails/send-source.ts';
import { type DeliveryWorld, deliveryWorld } from '../support/delivery-world.ts';
import { verifyByMailauth } from '../support/dkim-verifiers.ts';
import { startSmtpPeer } from '../support/smtp-peer.ts';
import { callerOf } from '../support/world.ts';

const relayTo = (port: number) =>
  ({ kind: 'relay', relay: { host: '127.0.0.1', port, tls: 'opportunistic', auth: null } }) as const;

const made = await generateDkimKeys();
const domain = 'acme.example';
const signing: SigningKeys = {
  keysFor: async () => [
    { domain, selector: 'r', algorithm: 'rsa-sha256', privateKey: readPrivateKey(made.rsa.privateKey) },
    { domain, selector: 'e', algorithm: 'ed25519-sha256', privateKey: readPrivateKey(made.ed25519.privateKey) },
  ],
};
const published = new Map([
  ['r._domainkey.acme.example', made.rsa.record],
  ['e._domainkey.acme.example', made.ed25519.record],
]);

function send(w: DeliveryWorld, source: Buffer, recipients: readonly string[]) {
  const { accountId, serverId, deps } = w;
  const caller = callerOf({
    kind: 'SERVER_TOKEN',
    accountId,
    serverId,
    tokenId: deps.ids.next(),
    label: 'vrs_…test',
    scopes: new Set(['MESSAGES_SEND']),
    streamId: null,
  });
  return sendSource(deps, caller, { serverId: null, recipients, source });
}

/** What nodemailer would put on the wire. */
async function composed(): Promise<Buffer> {
  const { message } = await createTransport({ streamTransport: true, buffer: true, newline: 'windows' }).sendMail({
    from: 'Grüße <noreply@acme.example>',
    to: 'ann@receiver.example',
    cc: 'bob@receiver.example',
    subject: 'Über alles',
    text: 'Zeile\n.\n..\nFrom here\n',
    html: '<p>Zeile</p>',
    messageId: '<own@acme.example>',
    attachments: [{ filename: 'große Datei.dat', content: Buffer.alloc(100_000, 3) }],
    textEncoding: 'quoted-printable',
  });
  if (!Buffer.isBuffer(message)) throw new Error('no message');
  return message;
}

/** Bytes behind the signatures and what else was put in front. */
const kept = (raw: Buffer, from: string) => raw.subarray(raw.indexOf(from));

describe('a message over SMTP', () => {
  test('arrives byte for byte, signed with both keys, at whom the envelope names', async () => {
    await using peer = await startSmtpPeer();
    await using w = await deliveryWorld({ outbound: relayTo(peer.port), signing });
    w.startEngine();
    const source = await composed();
    await send(w, source, ['ann@receiver.example', 'hidden@receiver.example']);
    await peer.until(({ messages }) => messages.length === 2);
    expect(peer.messages.flatMap(({ recipients }) => recipients).sort()).toEqual([
      'ann@receiver.example',
      'hidden@receiver.example',
    ]);
    for (const { raw } of peer.messages) {
      expect(kept(raw, 'From:').equals(source)).toBe(true);
      expect(await verifyByMailauth(raw, published)).toEqual([
        { selector: 'r', result: 'pass' },
        { selector: 'e', result: 'pass' },
      ]);
    }
  });

  test('gets what it lacks in front, covered by the signature', async () => {
    await using peer = await startSmtpPeer();
    await using w = await deliveryWorld({ outbound: relayTo(peer.port), signing });
    w.startEngine();
    const source = Buffer.from('From: noreply@acme.example\nBcc: b@receiver.example\nSubject: x\n\nHi\n');
    const { id } = await send(w, source, ['ann@receiver.example']);
    await peer.until(({ messages }) => messages.length === 1);
    const raw = peer.messages[0]?.raw ?? Buffer.alloc(0);
    expect(kept(raw, 'From:').toString()).toBe('From: noreply@acme.example\r\nSubject: x\r\n\r\nHi\r\n');
    expect(raw.toString()).toContain(`\r\nMessage-ID: <${encodeId('message', id)}@acme.example>\r\nDate: `);
    expect((await verifyByMailauth(raw, published)).map(({ result }) => result)).toEqual(['pass', 'pass']);
  });

  test('with eight bits says so to the next server', async () => {
    await using peer = await startSmtpPeer();
    await using w = await deliveryWorld({ outbound: relayTo(peer.port), signing });
    w.startEngine();
    await send(w, Buffer.from('From: noreply@acme.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nÄ\r\n'), [
      'ann@receiver.example',
    ]);
    await peer.until(({ messages }) => messages.length === 1);
    expect(peer.messages[0]?.parameters).toMatch(/BODY=8BITMIME$/);
    expect((await verifyByMailauth(peer.messages[0]?.raw ?? Buffer.alloc(0), published))[0]?.result).toBe('pass');
  });

  test('on a sandbox server has the simulated outcome, with a link that is read out of it', async () => {
    await using w = await deliveryWorld({ outbound: relayTo(1), delivery: 'SANDBOX' });
    w.startEngine();
    const html = '<p>x</p><a href="https://acme.example/x">y</a>';
    const { id } = await send(
      w,
      Buffer.from(`From: noreply@acme.example\r\nContent-Type: text/html\r\n\r\n${html}\r\n`),
      ['click@receiver.example'],
    );
    const events = await w.events(id, 3);
    expect(JSON.stringify(events)).toContain('https://acme.example/x');
  });
});
