import fc from 'fast-check';
import { type AddressObject, type ParsedMail, simpleParser } from 'mailparser';
import { describe, expect, test } from 'vitest';
import { validateEmail } from '#/domain/email-input.ts';
import { composeMessage, messageTree, senderHeader, withRecipientHeaders } from '#/mail/compose.ts';
import type { StoredContent } from '#/mail/content.ts';

const IDENTITY = { messageId: '<m1@b.example>', date: new Date('2026-03-01T12:00:00Z'), seed: 'm1', feedbackId: null };
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ', 'base64');

const BASE: StoredContent = {
  from: { name: 'Shop', address: 'shop@b.example' },
  to: [{ name: null, address: 'anna@c.example' }],
  cc: [],
  replyTo: [],
  subject: 'Hi',
  html: null,
  text: 'Hello',
  headers: [],
  attachments: [],
};

const compose = (over: Partial<StoredContent> = {}) => composeMessage({ ...BASE, ...over }, IDENTITY);
const file = (over: Partial<StoredContent['attachments'][number]> = {}) => ({
  name: 'a.pdf',
  contentType: 'application/pdf',
  contentId: null,
  content: Buffer.from('%PDF'),
  ...over,
});
const inlineImage = (contentId: string) =>
  file({ name: `${contentId}.png`, contentType: 'image/png', contentId, content: PNG });

/** What holds for every message, whatever is in it. */
function wellFormed(source: Buffer): string {
  const text = source.toString('latin1');
  expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
  expect(text.endsWith('\r\n')).toBe(true);
  for (const line of text.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
  return text;
}

function headerNames(source: Buffer): string[] {
  const header = source.toString('latin1').split('\r\n\r\n')[0] ?? '';
  return header
    .replace(/\r\n[ \t]/g, ' ')
    .split('\r\n')
    .map((line) => line.slice(0, line.indexOf(':')));
}

/** The nesting of the parts, e.g. `mixed(alternative(plain,html),pdf)`. */
function shape(source: Buffer): string {
  const types = [
    ...source
      .toString('latin1')
      .matchAll(/^Content-Type: (\w+)\/([\w-]+)[^\r]*(?:\r\n[ \t][^\r]*)*|^--(=_-[\w-]+)--\r$/gm),
  ];
  let out = '';
  for (const [, type, subtype, closing] of types) {
    if (closing !== undefined) out += ')';
    else out += `${/[\w)]$/.test(out) ? ',' : ''}${subtype}${type === 'multipart' ? '(' : ''}`;
  }
  return out;
}

function addresses(parsed: AddressObject | AddressObject[] | undefined) {
  return [parsed ?? []]
    .flat()
    .flatMap((one) => one.value)
    .map(({ name, address }) => ({ name: name || null, address }));
}

/** The value of a field, unfolded and with its encoded-words decoded (RFC 2047 §6): mailparser decodes known fields only. */
function decodeWords(source: Buffer, name: string): string {
  const header = source.toString('latin1').split('\r\n\r\n')[0] ?? '';
  const value = new RegExp(`^${name}: ?(.*(?:\\r\\n[ \\t].*)*)`, 'm').exec(header)?.[1]?.replace(/\r\n/g, '') ?? '';
  return value
    .trim()
    .replace(/\?=[ \t]+=\?/g, '?==?')
    .replace(/=\?UTF-8\?([BQ])\?([^?]*)\?=/g, (_word, kind, text) =>
      kind === 'B'
        ? Buffer.from(text, 'base64').toString('latin1')
        : text
            .replaceAll('_', ' ')
            .replace(/=([0-9A-F]{2})/g, (_: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    )
    .replace(/^[^]*$/, (bytes) => Buffer.from(bytes, 'latin1').toString());
}

function parse(source: Buffer): Promise<ParsedMail> {
  return simpleParser(source, {
    skipTextToHtml: true,
    skipHtmlToText: true,
    skipImageLinks: true,
    skipTextLinks: true,
  });
}

describe('no field can begin another', () => {
  test('a line break or NUL in anything that goes into a header is a defect', () => {
    for (const bad of ['a\r\nBcc: x@y.example', 'a\nb', 'a\rb', 'a\0b']) {
      expect(() => compose({ subject: bad })).toThrow(RangeError);
      expect(() => compose({ from: { name: bad, address: 'a@b.example' } })).toThrow(RangeError);
      expect(() => compose({ to: [{ name: null, address: bad }] })).toThrow(RangeError);
      expect(() => compose({ headers: [{ name: 'X-A', value: bad }] })).toThrow(RangeError);
      expect(() => compose({ headers: [{ name: bad, value: 'x' }] })).toThrow(RangeError);
      expect(() => withRecipientHeaders(compose(), [{ name: 'X-A', value: bad }])).toThrow(RangeError);
    }
  });

  test('a file name, type or content id with a line break adds no header', () => {
    const evil = 'a\r\nBcc: x@y.example\r\n\r\nbody';
    const message = compose({ html: '<p>', attachments: [file({ name: evil, contentType: 'a/b', contentId: evil })] });
    expect(message.source.toString()).not.toMatch(/^Bcc:/im);
  });

  test('a body that looks like a boundary stays a body', async () => {
    const boundary = /boundary="([^"]+)"/.exec(compose({ html: '<p>' }).source.toString())?.[1];
    const message = compose({ html: `<p>\n--${boundary}\nContent-Type: text/plain\n\nevil\n--${boundary}--\n` });
    const parsed = await parse(message.source);
    expect(parsed.html).toContain('evil');
    expect([parsed.text?.trim(), parsed.attachments]).toEqual(['Hello', []]);
  });
});

describe('the message', () => {
  test('has each field once, nothing of the composer and no Bcc', () => {
    const result = validateEmail(
      {
        from: 'Shop <shop@b.example>',
        to: ['a@c.example'],
        cc: ['b@c.example'],
        bcc: ['hidden@c.example'],
        replyTo: ['r@b.example'],
        subject: 'Hi',
        text: 'x',
        headers: [{ name: 'X-ORDER-id', value: '7' }],
      },
      IDENTITY.date,
    );
    if (!result.ok) throw new Error('not valid');
    const { source } = composeMessage(result.email, IDENTITY);
    expect(headerNames(source)).toEqual([
      'From',
      'To',
      'Cc',
      'Reply-To',
      'Subject',
      'X-ORDER-id',
      'Message-ID',
      'Date',
      'Content-Transfer-Encoding',
      'MIME-Version',
      'Content-Type',
    ]);
    expect(source.toString()).not.toMatch(/hidden|nodemailer|_NmP|X-Mailer/i);
    expect(source.toString()).toContain('Message-ID: <m1@b.example>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n');
  });

  test('is the same for the same input and has other boundaries for another seed', () => {
    const content = { ...BASE, html: '<p>ä</p>', attachments: [file()] };
    expect(composeMessage(content, IDENTITY).source.equals(composeMessage(content, IDENTITY).source)).toBe(true);
    expect(composeMessage(content, { ...IDENTITY, seed: 'm2' }).source.toString()).not.toBe(
      composeMessage(content, IDENTITY).source.toString(),
    );
  });

  test('has the bytes nodemailer itself writes', async () => {
    const contents: Partial<StoredContent>[] = [
      {},
      { text: '', html: null },
      { text: 'a\nb\r\nc\rd' },
      { text: 'Grüße\n'.repeat(50) },
      { text: 'привет '.repeat(500) },
      { html: `<p>${'long = '.repeat(800)}</p>`, text: null },
      { html: '<p>' },
      { attachments: [file()] },
      { text: null, attachments: [file({ content: Buffer.alloc(0) }), file({ content: Buffer.alloc(57) })] },
      { html: '<img src="cid:x">', attachments: [inlineImage('x'), file({ content: Buffer.alloc(10_000, 7) })] },
      { attachments: [file({ name: 'm.eml', contentType: 'message/rfc822', content: Buffer.from('A: b\n\nc') })] },
    ];
    for (const over of contents) {
      const content = { ...BASE, ...over };
      const expected = Buffer.concat([
        Buffer.from(senderHeader(content)),
        await messageTree(content, IDENTITY).build(),
      ]);
      expect(composeMessage(content, IDENTITY).source.toString('latin1')).toBe(expected.toString('latin1'));
    }
  });

  test('so has whatever text and HTML there are', async () => {
    const piece = fc.oneof(
      fc.constantFrom('\n', '\r\n', '=', ' ', 'ä', 'привет', '=_-', '\x7f', '\0', '.'),
      fc.string({ maxLength: 90 }),
    );
    const body = fc.option(fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')));
    const id = fc.constantFrom('<a@b.example>', `<${'x'.repeat(70)}@b.example>`, '<a b@c>', 'bare@c');
    await fc.assert(
      fc.asyncProperty(body, body, id, async (text, html, messageId) => {
        const content = { ...BASE, text, html };
        const identity = { ...IDENTITY, messageId };
        const tree = await messageTree(content, identity).build();
        const expected = senderHeader(content) + tree.toString('latin1');
        expect(composeMessage(content, identity).source.toString('latin1')).toBe(expected);
      }),
      { numRuns: 400 },
    );
  });

  test.each<[string, Partial<StoredContent>]>([
    ['plain', {}],
    ['html', { text: null, html: '<p>' }],
    ['alternative(plain,html)', { html: '<p>' }],
    ['mixed(plain,pdf)', { attachments: [file()] }],
    ['mixed(alternative(plain,html),pdf,pdf)', { html: '<p>', attachments: [file(), file()] }],
    ['related(html,png)', { text: null, html: '<p>', attachments: [inlineImage('x')] }],
    ['alternative(plain,related(html,png,png))', { html: '<p>', attachments: [inlineImage('x'), inlineImage('y')] }],
    ['mixed(alternative(plain,related(html,png)),pdf)', { html: '<p>', attachments: [file(), inlineImage('x')] }],
    ['mixed(plain,png)', { attachments: [inlineImage('x')] }],
    [
      'mixed(plain,rfc822)',
      { attachments: [file({ contentType: 'message/rfc822', content: Buffer.from('A: b\r\n\r\nc') })] },
    ],
    [
      'mixed(plain,octet-stream)',
      { attachments: [file({ contentType: 'message/rfc822', content: Buffer.from('A: ä') })] },
    ],
  ])('is nested as %s', (expected, over) => {
    const message = compose(over);
    wellFormed(message.source);
    expect(shape(message.source)).toBe(expected);
  });

  test('keeps inline images and files with their types, parameters and bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7) % 256));
    const message = compose({
      html: '<img src="cid:logo">',
      attachments: [
        inlineImage('logo'),
        file({
          name: 'Übersicht "1".ics',
          contentType: 'text/calendar; method=REQUEST; charset=utf-8',
          content: bytes,
        }),
      ],
    });
    const parsed = await parse(message.source);
    expect(
      parsed.attachments.map((one) => [
        one.filename,
        one.contentType,
        one.contentDisposition,
        one.cid ?? null,
        one.related ?? false,
      ]),
    ).toEqual([
      ['logo.png', 'image/png', 'inline', 'logo', true],
      ['Übersicht "1".ics', 'text/calendar', 'attachment', null, false],
    ]);
    expect(parsed.attachments[1]?.content.equals(bytes)).toBe(true);
    expect(message.source.toString()).toMatch(/method=REQUEST/);
  });

  test('is 7-bit; only a local part outside ASCII is not, and an IDN is written in A-labels', () => {
    const plain = compose({
      subject: 'Grüße 🎉',
      from: { name: 'Jörg', address: 'j@xn--bcher-kva.example' },
      html: '<p>ä\u{1f389}</p>',
      headers: [{ name: 'X-A', value: 'ü' }],
      attachments: [file({ name: 'ä.pdf' })],
    });
    expect(wellFormed(plain.source)).not.toMatch(/[\x80-\xff]/);
    expect([plain.eightBit, plain.smtpUtf8]).toEqual([false, false]);
    const international = compose({ to: [{ name: 'Jörg', address: 'jörg@xn--bcher-kva.example' }] });
    expect([international.eightBit, international.smtpUtf8]).toEqual([true, true]);
    expect(international.source.toString()).toContain('<jörg@xn--bcher-kva.example>');
  });

  test('chooses an encoding by the text', () => {
    const encoding = (text: string) =>
      /Content-Transfer-Encoding: (\S+)/.exec(compose({ text }).source.toString())?.[1];
    expect(encoding('short')).toBe('7bit');
    expect(encoding('x'.repeat(77))).toBe('quoted-printable');
    expect(encoding('ein Gruß und noch viel mehr Text')).toBe('quoted-printable');
    expect(encoding('привет')).toBe('base64');
  });

  test('tells where its body begins and how large it is', () => {
    const { source, bodyStart, size } = compose();
    expect(source.toString('latin1', bodyStart)).toBe('Hello\r\n');
    expect(source.toString('latin1', bodyStart - 4, bodyStart)).toBe('\r\n\r\n');
    expect(size).toBe(source.length);
  });

  test('50 recipients with long names are folded between addresses', async () => {
    const to = Array.from({ length: 50 }, (_, index) => ({
      name: `Näme, number ${index} ${'x'.repeat(index)}`,
      address: `r${index}@c.example`,
    }));
    const message = compose({ to });
    for (const line of wellFormed(message.source).split('\r\n')) expect(line.length).toBeLessThanOrEqual(78);
    expect(addresses((await parse(message.source)).to)).toEqual(to);
  });

  test('a quoted local part reaches the header as it is', () => {
    const address = '"()<>[]:,;@\\\\\\"!#$%&\'*+-/=?^_`{}| ~.a"@example.org';
    expect(compose({ to: [{ name: null, address }] }).source.toString()).toContain(`To: <${address}>\r\n`);
  });

  test('structured headers are not turned into encoded-words', () => {
    const headers = [
      { name: 'List-Id', value: '"My list" <list.b.example>' },
      { name: 'References', value: Array.from({ length: 20 }, (_, index) => `<id${index}@b.example>`).join(' ') },
    ];
    const text = wellFormed(compose({ headers }).source);
    expect(text).toContain('List-Id: "My list" <list.b.example>\r\n');
    expect(text.replace(/\r\n /g, ' ')).toContain(`References: ${headers[1]?.value}`);
  });

  test('the estimate of validation is close to the size', () => {
    const html = `<p style="color:red">${'Ein Text mit Grüßen. '.repeat(500)}</p>`;
    for (const text of ['short', 'привет '.repeat(3000), 'plain words '.repeat(3000)]) {
      const result = validateEmail(
        {
          from: 'a@b.example',
          to: ['c@d.example'],
          html,
          text,
          attachments: [
            { name: 'a.pdf', contentType: 'application/pdf', content: Buffer.alloc(50_000).toString('base64') },
          ],
        },
        IDENTITY.date,
      );
      if (!result.ok) throw new Error('not valid');
      const ratio = result.email.estimatedSize / composeMessage(result.email, IDENTITY).size;
      expect(ratio).toBeGreaterThan(0.97);
      expect(ratio).toBeLessThan(1.15);
    }
  });
});

describe('headers of one recipient', () => {
  test('stand in front; the message itself is not copied', async () => {
    const message = compose();
    const [head, source, ...rest] = withRecipientHeaders(message, [
      { name: 'List-Unsubscribe', value: '<https://b.example/u/1>' },
      { name: 'Feedback-ID', value: 'a:b:c:d' },
    ]);
    expect(source).toBe(message.source);
    expect(rest).toEqual([]);
    expect(Buffer.from(head ?? []).toString()).toBe(
      'List-Unsubscribe: <https://b.example/u/1>\r\nFeedback-ID: a:b:c:d\r\n',
    );
    expect(withRecipientHeaders(message, [])).toEqual([message.source]);
    expect((await parse(Buffer.concat([head ?? Buffer.alloc(0), message.source]))).subject).toBe('Hi');
  });
});

test('every Unicode subject, name, header and file name comes back, in a well-formed message', async () => {
  const line = (maxLength: number) =>
    fc
      .oneof(
        fc.string({ unit: 'binary', maxLength }),
        fc.string({ unit: 'grapheme', maxLength }),
        fc.string({ maxLength }),
        fc
          .array(
            fc.constantFrom(
              '=?utf-8?q?x?=',
              '=?',
              '?=',
              ' ',
              '  ',
              '"',
              '\\',
              'ä',
              '\u{1f389}',
              ',',
              ';',
              'x'.repeat(80),
              '<',
              '>',
              '=3D',
              '%',
              "'",
              '*',
            ),
            { maxLength: 12 },
          )
          .map((all) => all.join('')),
      )
      .map((text) => text.toWellFormed().replace(/\p{Cc}|[\u2028\u2029\u0085]/gu, ''));
  const given = fc.record({
    subject: line(300),
    name: line(120),
    value: line(300),
    fileName: line(120).map((name) => name.replaceAll('=', '')),
    text: line(2000),
  });
  await fc.assert(
    fc.asyncProperty(given, async ({ subject, name, value, fileName, text }) => {
      const message = compose({
        from: { name, address: 'shop@b.example' },
        subject,
        text: text || 'x',
        html: `<p>${text}</p>`,
        headers: value.trim() === '' ? [] : [{ name: 'X-Value', value: value.trim() }],
        attachments: [file({ name: fileName.trim() || 'x' })],
      });
      expect(wellFormed(message.source)).not.toMatch(/[\x80-\xff]/);
      expect(headerNames(message.source).filter((header) => /^(?:from|to|bcc)$/i.test(header))).toEqual(['From', 'To']);
      const parsed = await parse(message.source);
      // mailparser trims every value it reads.
      expect((parsed.subject ?? '').trim()).toBe(subject.trim());
      expect(addresses(parsed.from).map((one) => [(one.name ?? '').trim(), one.address])).toEqual([
        [name.trim(), 'shop@b.example'],
      ]);
      expect(decodeWords(message.source, 'X-Value')).toBe(value.trim());
      // A fold may fall into a run of spaces, which mailparser then reads as one.
      expect(parsed.attachments[0]?.filename?.replace(/ +/g, ' ')).toBe(fileName.trim().replace(/ +/g, ' ') || 'x');
      expect((parsed.text ?? '').trimEnd()).toBe((text || 'x').trimEnd());
      expect(parsed.attachments).toHaveLength(1);
    }),
    { numRuns: 1_000 },
  );
});
