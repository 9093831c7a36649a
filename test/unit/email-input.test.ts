import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EmailInput, validateEmail } from '#/domain/email-input.ts';
import { decodeBase64 } from '#/domain/email/attachments.ts';
import type { AttachmentInput } from '#/domain/email/types.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const BASE: EmailInput = { from: 'shop@b.example', to: ['anna@c.example'], subject: 'Hi', text: 'Hello' };
const MB = 1024 * 1024;

function issuesOf(input: Partial<EmailInput>) {
  const result = validateEmail({ ...BASE, ...input }, NOW);
  return result.ok ? [] : result.issues;
}

function valid(input: Partial<EmailInput>) {
  const result = validateEmail({ ...BASE, ...input }, NOW);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.email;
}

function file(over: Partial<AttachmentInput>): Partial<EmailInput> {
  return { attachments: [{ name: 'a.pdf', contentType: 'application/pdf', content: 'QUJD', ...over }] };
}

function header(name: string, value = 'x'): Partial<EmailInput> {
  return { headers: [{ name, value }] };
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `r${index}@c.example`);
const at = (days: number) => new Date(NOW.getTime() + days * 86_400_000);

describe('refused, with the path of the field', () => {
  const nested: unknown = { a: { b: 1 } };
  const cases: [what: string, input: Partial<EmailInput>, path: string, message: string][] = [
    ['from empty', { from: '' }, 'from', 'is empty'],
    ['several from', { from: 'a@b.example, c@d.example' }, 'from', 'exactly one sender'],
    ['from with a line break', { from: 'a@b.example\r\nBcc: x@y.example' }, 'from', 'line break'],
    ['from as a group', { from: 'g: a@b.example;' }, 'from', 'group'],
    ['from with an encoded-word', { from: '=?utf-8?q?a=40bank.example?= <a@b.example>' }, 'from', 'encoded-word'],
    ['no to', { to: [] }, 'to', 'at least one recipient'],
    ['a bad to', { to: ['a@b.example', 'nobody'] }, 'to.1', 'no @'],
    ['a bad cc', { cc: ['nobody'] }, 'cc.0', 'no @'],
    ['a bad bcc', { bcc: ['a@b.example\n'] }, 'bcc.0', 'line break'],
    ['a bad replyTo', { replyTo: ['x', 'a@b.example'] }, 'replyTo.0', 'no @'],
    ['too many replyTo', { replyTo: many(11) }, 'replyTo', 'at most 10'],
    ['51 recipients', { to: many(20), cc: many(20), bcc: many(11) }, 'to', '51 recipients'],
    ['a subject of 2,001', { subject: 's'.repeat(2001) }, 'subject', '2000'],
    ['a subject with CR', { subject: 'a\rb' }, 'subject', 'line break'],
    ['a subject with LF', { subject: 'a\nBcc: x@y.example' }, 'subject', 'line break'],
    ['a subject with NUL', { subject: 'a\0b' }, 'subject', 'control'],
    ['a subject with half a pair', { subject: 'a\udc00' }, 'subject', 'surrogate'],
    ['no body', { html: '', text: null }, 'text', 'needs a body'],
    ['html beyond 5 MB', { html: 'h'.repeat(5 * MB + 1) }, 'html', 'octets'],
    ['html of 5 MB in octets', { html: 'ä'.repeat(2.5 * MB + 1) }, 'html', 'octets'],
    ['html with NUL', { html: 'a\0b' }, 'html', 'NUL'],
    ['html with half a pair', { html: '\ud83d' }, 'html', 'surrogate'],
    ['text beyond 5 MB', { text: 't'.repeat(5 * MB + 1) }, 'text', 'octets'],
    ['text with NUL', { text: '\0' }, 'text', 'NUL'],
    ['text with half a pair', { text: '\ud83d' }, 'text', 'surrogate'],
    ['a tag of 1,001', { tag: 't'.repeat(1001) }, 'tag', '1000'],
    ['a tag with a line break', { tag: 'a\nb' }, 'tag', 'line break'],
    ['metadata that is text', { metadata: 'x' }, 'metadata', 'not an object'],
    ['metadata that is a list', { metadata: ['x'] }, 'metadata', 'not an object'],
    ['11 keys', { metadata: Object.fromEntries(many(11).map((key) => [key, 'x'])) }, 'metadata', 'at most 10'],
    ['an empty key', { metadata: { '': 'x' } }, 'metadata.', 'empty'],
    ['a key of 21', { metadata: { ['k'.repeat(21)]: 'x' } }, `metadata.${'k'.repeat(21)}`, '20'],
    ['a key with a line break', { metadata: { 'a\n': 'x' } }, 'metadata.a\n', 'line break'],
    ['keys that differ in case', { metadata: { id: 'x', ID: 'y' } }, 'metadata.ID', 'case'],
    ['a value of 81', { metadata: { a: 'v'.repeat(81) } }, 'metadata.a', '80'],
    ['a value with a line break', { metadata: { a: 'x\r\ny' } }, 'metadata.a', 'line break'],
    ['a nested value', { metadata: nested }, 'metadata.a', 'neither'],
    ['a null value', { metadata: { a: null } }, 'metadata.a', 'neither'],
    ['an upper-case stream', { stream: 'Outbound' }, 'stream', 'slug'],
    ['an empty stream', { stream: '' }, 'stream', 'slug'],
    ['a stream of 31', { stream: 's'.repeat(31) }, 'stream', 'slug'],
    ['sendAt beyond 30 days', { sendAt: at(30.1) }, 'sendAt', '30 days'],
    ['sendAt that is no time', { sendAt: new Date(Number.NaN) }, 'sendAt', 'not a time'],
    ['expiresAt in the past', { expiresAt: at(-1) }, 'expiresAt', 'passed'],
    ['expiresAt now', { expiresAt: NOW }, 'expiresAt', 'passed'],
    ['expiresAt before sendAt', { sendAt: at(2), expiresAt: at(1) }, 'expiresAt', 'later than sendAt'],
    ['expiresAt that is no time', { expiresAt: new Date(Number.NaN) }, 'expiresAt', 'not a time'],
    ['an empty idempotencyKey', { idempotencyKey: '' }, 'idempotencyKey', 'printable'],
    ['an idempotencyKey of 256', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey', '255'],
    ['an idempotencyKey with umlaut', { idempotencyKey: 'ü' }, 'idempotencyKey', 'ASCII'],
    ['a file without name', file({ name: ' ' }), 'attachments.0.name', 'empty'],
    ['a file name with a path', file({ name: '../a.pdf' }), 'attachments.0.name', 'path separator'],
    ['a file name with a backslash', file({ name: 'c:\\a.pdf' }), 'attachments.0.name', 'path separator'],
    ['a file name with a line break', file({ name: 'a\r\nX: y.pdf' }), 'attachments.0.name', 'line break'],
    ['a file name of 256', file({ name: `${'a'.repeat(252)}.pdf` }), 'attachments.0.name', '255'],
    ['a file name with an override', file({ name: 'a\u202efdp.exe' }), 'attachments.0.name', 'direction'],
    ['a file name with an encoded-word', file({ name: '=?utf-8?q?a=2Eexe?=' }), 'attachments.0.name', 'encoded-word'],
    ['no content type', file({ contentType: '' }), 'attachments.0.contentType', 'MIME type'],
    ['half a content type', file({ contentType: 'application' }), 'attachments.0.contentType', 'MIME type'],
    ['a content type with CRLF', file({ contentType: 'a/b\r\nX: y' }), 'attachments.0.contentType', 'MIME type'],
    ['a quoted CRLF', file({ contentType: 'a/b; c="\r\nX: y"' }), 'attachments.0.contentType', 'MIME type'],
    ['multipart', file({ contentType: 'multipart/mixed; boundary=x' }), 'attachments.0.contentType', 'multipart'],
    ['external bodies', file({ contentType: 'message/external-body' }), 'attachments.0.contentType', 'message type'],
    ['not base64', file({ content: 'QUJ*' }), 'attachments.0.content', 'base64'],
    ['base64url', file({ content: '-_-_' }), 'attachments.0.content', 'base64'],
    ['base64 without padding', file({ content: 'QQ' }), 'attachments.0.content', 'base64'],
    ['text after padding', file({ content: 'QQ==QQ==' }), 'attachments.0.content', 'base64'],
    ['a huge file', file({ content: 'A'.repeat(12 * MB) }), 'attachments.0.content', 'too large'],
    ['a file beyond 10 MB encoded', file({ content: 'A'.repeat(10 * MB) }), 'attachments', 'octets when encoded'],
    ['a content id with a space', file({ contentId: 'a b' }), 'attachments.0.contentId', 'character'],
    ['a content id with CRLF', file({ contentId: 'a\r\nX: y' }), 'attachments.0.contentId', 'character'],
    ['a content id of 129', file({ contentId: 'c'.repeat(129) }), 'attachments.0.contentId', '128'],
    ['a header without name', header(''), 'headers.0.name', 'empty'],
    ['a header name with colon', header('X:Y'), 'headers.0.name', 'character'],
    ['a header name with CRLF', header('X\r\nBcc'), 'headers.0.name', 'character'],
    ['a header name with space', header('From '), 'headers.0.name', 'character'],
    ['a header name of 77', header('x'.repeat(77)), 'headers.0.name', '76'],
    ['a header value with CR', header('X-A', 'a\rb'), 'headers.0.value', 'line break'],
    ['a folded header value', header('X-A', 'a\r\n b'), 'headers.0.value', 'line break'],
    ['a header value with NUL', header('X-A', 'a\0'), 'headers.0.value', 'control'],
    ['a header value with half a pair', header('X-A', '\ud800'), 'headers.0.value', 'surrogate'],
    ['an empty header value', header('X-A', ' '), 'headers.0.value', 'empty'],
    ['a header value beyond 8 KB', header('X-A', 'ä'.repeat(4097)), 'headers.0.value', '8192'],
    ['51 headers', { headers: many(51).map(() => ({ name: 'X-A', value: 'x' })) }, 'headers', 'at most 50'],
    ['a bad Message-ID', header('Message-ID', 'abc@def'), 'headers.0.value', 'message id'],
    ['two ids in one Message-ID', header('Message-ID', '<a@b> <c@d>'), 'headers.0.value', 'message id'],
    ['bad References', header('References', '<a@b> nothing'), 'headers.0.value', 'message id'],
    ['an umlaut in List-Unsubscribe', header('List-Unsubscribe', '<https://ü.example>'), 'headers.0.value', 'ASCII'],
    [
      'an unfoldable List-Unsubscribe',
      header('List-Unsubscribe', `<https://b.example/${'x'.repeat(900)}>`),
      'headers.0.value',
      'folded',
    ],
  ];
  test.each(cases)('%s', (_what, input, path, message) => {
    const found = issuesOf(input);
    expect(found.map((issue) => issue.path.join('.'))).toContain(path);
    expect(found.find((issue) => issue.path.join('.') === path)?.message).toContain(message);
  });

  test.each(
    'From SENDER to Cc bcc Reply-To Subject Date MIME-Version Return-Path Received DKIM-Signature ARC-Seal Content-Type content-transfer-encoding X-Veredus-Id Authentication-Results Delivered-To Feedback-ID Resent-From Apparently-To'.split(
      ' ',
    ),
  )('the reserved header %s, with a reason', (name) => {
    const [issue] = issuesOf(header(name));
    expect(issue?.path).toEqual(['headers', '0', 'name']);
    expect(issue?.message).toMatch(/cannot be set: it \w+/);
  });

  test.each(
    'vbs exe bin bat chm com cpl crt hlp hta inf ins isp jse lnk mdb pcd pif reg scr sct shs vbe vba wsf wsh wsl msc msi msp mst'.split(
      ' ',
    ),
  )('an attachment with the extension %s, however it is written', (extension) => {
    for (const name of [
      `a.${extension}`,
      `a.pdf.${extension.toUpperCase()}`,
      `a.${extension}.. `,
      `a.${extension}:x`,
      `a.\u200b${extension}`,
      `.${extension}`,
    ]) {
      expect(issuesOf(file({ name }))[0]?.path, name).toEqual(['attachments', '0', 'name']);
    }
    expect(issuesOf(file({ name: `${extension}.pdf` }))).toEqual([]);
  });

  test('an unknown link tracking, which only a caller without types can give', () => {
    const input: EmailInput = JSON.parse('{"from":"a@b.example","to":["c@d.example"],"text":"x","trackLinks":"ALL"}');
    const result = validateEmail(input, NOW);
    expect(result.ok ? [] : result.issues.map((issue) => issue.path)).toEqual([['trackLinks']]);
  });

  test('a header that may stand only once, twice', () => {
    const headers = [
      { name: 'Message-ID', value: '<a@b.example>' },
      { name: 'message-id', value: '<c@b.example>' },
    ];
    expect(issuesOf({ headers })[0]).toMatchObject({ path: ['headers', '1', 'name'] });
  });

  test('two attachments with one content id', () => {
    const one = { name: 'a.png', contentType: 'image/png', content: 'QUJD' };
    const attachments = [
      { ...one, contentId: 'logo' },
      { ...one, contentId: 'cid:logo' },
    ];
    expect(issuesOf({ attachments })[0]).toMatchObject({ path: ['attachments', '1', 'contentId'] });
  });

  test('all faults at once, at most 20', () => {
    const all = issuesOf({ from: 'x', to: ['y'], tag: '\n', stream: '!', metadata: 1 });
    expect(all.map((issue) => issue.path[0])).toEqual(['from', 'to', 'tag', 'metadata', 'stream']);
    expect(issuesOf({ to: Array.from({ length: 50 }, () => 'x') })).toHaveLength(20);
  });
});

describe('accepted', () => {
  test('the smallest email, with its defaults', () => {
    expect(valid({})).toMatchObject({
      html: null,
      text: 'Hello',
      tag: null,
      metadata: {},
      streamSlug: 'outbound',
      trackOpens: null,
      trackLinks: null,
      sendAt: null,
      expiresAt: null,
      idempotencyKey: null,
      messageId: null,
      headers: [],
      attachments: [],
    });
    expect(valid({ subject: null }).subject).toBe('');
  });

  test('each recipient once, the first place wins', () => {
    const email = valid({
      to: ['A <a@c.example>', 'b@c.example', 'a@C.example'],
      cc: ['B@c.example', 'd@c.example'],
      bcc: ['d@c.example', 'e@c.example'],
    });
    expect(email.recipients.map(({ kind, mailbox }) => `${kind} ${mailbox.key}`)).toEqual([
      'TO a@c.example',
      'TO b@c.example',
      'CC d@c.example',
      'BCC e@c.example',
    ]);
    expect(email.cc).toHaveLength(1);
  });

  test('50 recipients, limits met exactly', () => {
    expect(valid({ to: many(50) }).recipients).toHaveLength(50);
    valid({
      subject: 's'.repeat(2000),
      tag: 't'.repeat(1000),
      idempotencyKey: 'k'.repeat(255),
      stream: `s${'a'.repeat(29)}`,
    });
    valid({ html: 'h'.repeat(5 * MB) });
    valid({ sendAt: at(30), expiresAt: at(31) });
  });

  test('metadata values become text, and keys named like a prototype are keys', () => {
    const email = valid({ metadata: JSON.parse('{"n":1.5,"yes":true,"__proto__":"x","constructor":"y"}') });
    expect(Object.entries(email.metadata)).toEqual([
      ['n', '1.5'],
      ['yes', 'true'],
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.getPrototypeOf(email.metadata)).toBeNull();
    expect(Object.isFrozen(email.metadata)).toBe(true);
  });

  test('attachments: line breaks in base64, content ids in each spelling, calendar parameters', () => {
    const email = valid({
      attachments: [
        { name: 'a.ics', contentType: 'text/calendar; charset=utf-8; method=REQUEST', content: 'QUJD\r\nREVG\r\n' },
        { name: 'Übersicht 1.png', contentType: 'image/png', content: 'QQ==', contentId: 'cid:logo@x' },
        { name: 'b', contentType: 'message/rfc822', content: '', contentId: '' },
        { name: 'c.png', contentType: 'image/png', content: 'QQ==', contentId: '<two>' },
      ],
    });
    expect(email.attachments.map(({ contentId, size }) => [contentId, size])).toEqual([
      [null, 6],
      ['logo@x', 1],
      [null, 0],
      ['two', 1],
    ]);
    expect(email.attachments[0]?.content.toString()).toBe('ABCDEF');
  });

  test('custom headers keep order and case; Message-ID leaves the list', () => {
    const headers = [
      { name: 'X-ORDER-id', value: ' 7 ' },
      { name: 'Message-Id', value: '<a.b@[10.0.0.1]>' },
      { name: 'References', value: '<a@b.example> <c@b.example>' },
      { name: 'X-Grüße'.replace('ü', 'u').replace('ß', 's'), value: 'Grüße\t!' },
    ];
    const email = valid({ headers });
    expect(email.messageId).toBe('<a.b@[10.0.0.1]>');
    expect(email.headers).toEqual([{ name: 'X-ORDER-id', value: '7' }, headers[2], headers[3]]);
  });

  test('a sendAt that has passed means at once', () => {
    expect(valid({ sendAt: at(-1), expiresAt: at(1) })).toMatchObject({ sendAt: null, expiresAt: at(1) });
  });
});

test('base64 is taken exactly when RFC 4648 takes it', () => {
  const strict = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  const text = fc
    .array(fc.constantFrom('QQ==', 'QUI=', 'QUJD', 'A', '=', '\n', '\r\n', ' ', 'ā', '-', '\u0141', '\t'), {
      maxLength: 8,
    })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(fc.oneof(text, fc.base64String(), fc.string()), (given) => {
      expect(decodeBase64(given).ok, JSON.stringify(given)).toBe(strict.test(given.replace(/[\r\n]/g, '')));
    }),
    { numRuns: 10_000 },
  );
});
