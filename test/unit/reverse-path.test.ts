// The reverse-path that names its recipient, and the Feedback-ID.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeId } from '#/domain/ids.ts';
import { feedbackId } from '#/mail/feedback-id.ts';
import { readVerp, recipientTag, reversePathOf, verpLocalPart } from '#/mail/reverse-path.ts';

const SECRET = Buffer.alloc(32, 7);
const DOMAIN = 'bounces.acme.example';
const ID = '0197a3f0-1234-7abc-8def-0123456789ab';
const returnPath = { domain: DOMAIN, secret: SECRET };
const STREAM = '0197a3f0-1234-7abc-8def-0123456789aa';
const ann = { ordinal: 3, address: 'Ann@receiver.example' };
const message = { id: ID, streamId: STREAM, fromAddress: 'a@acme.example' };
const tag = recipientTag({ messageId: ID, streamId: STREAM, address: ann.address }, SECRET);
const address = `${verpLocalPart({ messageId: ID, ordinal: 3, tag }, returnPath)}@${DOMAIN}`;

describe('a return path', () => {
  test('names the recipient and shows the id of the message', () => {
    expect(reversePathOf(message, ann, returnPath)).toBe(address);
    expect(address.startsWith(`${encodeId('message', ID)}-3-`)).toBe(true);
    expect(readVerp(address, SECRET)).toEqual({ messageId: ID, ordinal: 3, tag });
    expect(readVerp(address.toUpperCase(), SECRET)).toEqual({ messageId: ID, ordinal: 3, tag });
  });

  test('is the From address where the domain has none', () => {
    expect(reversePathOf(message, ann, null)).toBe('a@acme.example');
  });

  test('is not believed with another recipient, message, domain or secret', () => {
    const [, id = '', mac = ''] = /^(.*)-3-(.*)@/.exec(address) ?? [];
    const other = encodeId('message', '0197a3f0-1234-7abc-8def-0123456789ac');
    for (const forged of [
      `${id}-4-${mac}@${DOMAIN}`,
      `${id}-3-${mac.replace(tag, '0'.repeat(10))}@${DOMAIN}`,
      `${other}-3-${mac}@${DOMAIN}`,
      `${id}-3-${mac}@bounces.other.example`,
      `${id}-03-${mac}@${DOMAIN}`,
      `${id}-3-${mac.slice(0, -1)}@${DOMAIN}`,
      `${id}-3-@${DOMAIN}`,
      `x${address}`,
      'postmaster@bounces.acme.example',
      '@',
      '',
    ]) {
      expect(readVerp(forged, SECRET)).toBeNull();
    }
    expect(readVerp(address, Buffer.alloc(32, 8))).toBeNull();
  });

  test('proves the address and the stream, and no other', () => {
    const claim = { messageId: ID, streamId: STREAM, address: 'ann@RECEIVER.example' };
    expect(recipientTag(claim, SECRET)).toBe(tag);
    for (const other of [{ address: 'bea@receiver.example' }, { streamId: ID }, { messageId: STREAM }])
      expect(recipientTag({ ...claim, ...other }, SECRET)).not.toBe(tag);
  });

  test('fits a local part, for every message and recipient', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 32_767 }), (messageId, ordinal) => {
        const localPart = verpLocalPart({ messageId, ordinal, tag }, returnPath);
        expect(localPart.length).toBeLessThanOrEqual(64);
        expect(readVerp(`${localPart}@${DOMAIN}`, SECRET)).toEqual({ messageId, ordinal, tag });
      }),
    );
  });
});

describe('Feedback-ID', () => {
  const source = { streamId: ID, serverId: ID, accountId: ID, domain: 'acme.example' };

  test('has four parts, none twice, and ends with the sender', () => {
    const parts = feedbackId(source).split(':');
    expect(parts).toEqual([encodeId('stream', ID), encodeId('server', ID), encodeId('account', ID), 'acme.example']);
    expect(new Set(parts).size).toBe(4);
  });

  test('tells senders apart within 5 to 15 characters', () => {
    const senderOf = (domain: string) => feedbackId({ ...source, domain }).split(':')[3] ?? '';
    const domains = [
      'x.io',
      'mail.acme-shop.example',
      'mail.acme-shop.test',
      'xn--bcher-kva.example',
      `${'a'.repeat(60)}.example`,
    ];
    const senders = domains.map(senderOf);
    expect(new Set(senders).size).toBe(domains.length);
    for (const sender of senders) expect(sender).toMatch(/^[a-z0-9.-]{5,15}$/);
    expect(senderOf('x.io')).toBe(senderOf('x.io'));
  });
});
