import fc from 'fast-check';
import { expect, test } from 'vitest';
import { validateEmail } from '#/domain/email-input.ts';
import { decodeContent, encodeContent, type StoredContent } from '#/mail/content.ts';

const SMALL: StoredContent = {
  from: { name: 'Shop', address: 'shop@b.example' },
  to: [{ name: null, address: 'anna@c.example' }],
  cc: [],
  replyTo: [],
  subject: 'Hi',
  html: null,
  text: 'x',
  headers: [],
  attachments: [],
};

test('content from somewhere else is refused', () => {
  expect(() => decodeContent(Buffer.alloc(0))).toThrow();
  expect(() => decodeContent(Buffer.from([0, 0, 0, 9, 1]))).toThrow('unknown format');
  const stored = encodeContent({
    ...SMALL,
    text: null,
    attachments: [{ name: 'a', contentType: 'b/c', contentId: null, content: Buffer.from('x') }],
  });
  expect(() => decodeContent(stored.subarray(0, -1))).toThrow();
  expect(() => decodeContent(Buffer.concat([stored, Buffer.from('y')]))).toThrow();
});

test('a frame that would unpack to more than any message is refused', async () => {
  const { zstdCompressSync } = await import('node:zlib');
  const bomb = Buffer.concat([Buffer.from([0x80, 0, 0, 1]), zstdCompressSync(Buffer.alloc(90 * 1024 * 1024))]);
  expect(bomb.length).toBeLessThan(100_000);
  expect(() => decodeContent(bomb)).toThrow();
});

test('every content comes back as it was', () => {
  const address = fc.record({ name: fc.option(fc.string({ unit: 'grapheme' })), address: fc.string() });
  const content = fc.record({
    from: address,
    to: fc.array(address, { maxLength: 3 }),
    cc: fc.array(address, { maxLength: 3 }),
    replyTo: fc.array(address, { maxLength: 3 }),
    subject: fc.string({ unit: 'binary' }),
    html: fc.option(fc.string({ unit: 'binary', maxLength: 2000 })),
    text: fc.option(fc.string({ unit: 'binary' })),
    headers: fc.array(fc.record({ name: fc.string(), value: fc.string() }), { maxLength: 3 }),
    attachments: fc.array(
      fc.record({
        name: fc.string(),
        contentType: fc.string(),
        contentId: fc.option(fc.string()),
        content: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
      }),
      { maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(content, (given) => {
      expect(decodeContent(encodeContent(given))).toEqual(given);
    }),
  );
});

test('what an earlier version stored, with its bodies in the JSON, is read as well', () => {
  const old = { from: null, to: [], cc: [], replyTo: [], subject: 'Old', html: '<p>ä</p>', text: null, headers: [] };
  const json = Buffer.from(
    JSON.stringify({ ...old, attachments: [{ name: 'a', contentType: 'b/c', contentId: null, size: 2 }] }),
  );
  const head = Buffer.alloc(8);
  head.writeUInt32BE(1, 0);
  head.writeUInt32BE(json.length, 4);
  const { html, text, subject, attachments } = decodeContent(Buffer.concat([head, json, Buffer.from('xy')]));
  expect({ html, text, subject }).toEqual({ html: '<p>ä</p>', text: null, subject: 'Old' });
  expect(attachments.map(({ content }) => content.toString())).toEqual(['xy']);
});

test('a small content is stored as it is, a larger one is compressed', () => {
  expect(encodeContent(SMALL).readUInt32BE(0)).toBe(1);
  const large = encodeContent({ ...SMALL, html: '<p>Hello</p>'.repeat(1000) });
  expect(large.readUInt32BE(0)).toBe(0x8000_0001);
  expect(large.length).toBeLessThan(500);
});

test('Bcc and everything else that is not content stays out of a valid email', () => {
  const input = {
    from: 'shop@b.example',
    to: ['a@c.example'],
    bcc: ['hidden@c.example'],
    text: 'x',
    tag: 'private-tag',
    metadata: { order: 'private-value' },
    idempotencyKey: 'private-key',
  };
  const result = validateEmail(input, new Date(0));
  if (!result.ok) throw new Error('not valid');
  const stored = encodeContent(result.email);
  expect(stored.toString('latin1')).not.toMatch(/hidden|private/);
  expect(Object.keys(decodeContent(stored))).toEqual(Object.keys(SMALL));
});
