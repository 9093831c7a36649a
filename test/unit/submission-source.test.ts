// What becomes of a message that a sender's program has composed: line ends, From, fields that speak to us.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectIssues } from '#/domain/email/issues.ts';
import { canonicalLines } from '#/mail/source/canonical-lines.ts';
import { readControls } from '#/mail/source/control-fields.ts';
import { hidesLineBreak } from '#/mail/source/encoded-breaks.ts';
import { readFromField } from '#/mail/source/from-field.ts';
import { readSubmission } from '#/mail/source/read-submission.ts';

const read = (source: string | Buffer) => {
  const issues = collectIssues();
  const submission = readSubmission(Buffer.from(source), issues);
  return { submission, issues: issues.found.map(({ path, message }) => `${path.join('.')}: ${message}`) };
};

describe('line ends', () => {
  const bytes = fc.array(fc.constantFrom('a', '.', '\r', '\n', ' '), { maxLength: 40 }).map((all) => all.join(''));

  test('are CRLF and nothing else, and the text between them is kept', () => {
    fc.assert(
      fc.property(bytes, (text) => {
        const mended = canonicalLines(Buffer.from(text)).bytes.toString();
        expect(mended.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
        expect(mended === '' || mended.endsWith('\r\n')).toBe(true);
        expect(mended.replaceAll('\r\n', '')).toBe(text.replace(/[\r\n]/g, ''));
        expect(canonicalLines(Buffer.from(mended)).bytes.toString()).toBe(mended);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['a\nb', 'a\r\nb\r\n'],
    ['a\rb\r', 'a\r\nb\r\n'],
    ['a\r\r\nb\r\n', 'a\r\nb\r\n'],
    ['a\r\rb\r\n', 'a\r\n\r\nb\r\n'],
    ['a\n\r\nb\r\n', 'a\r\n\r\nb\r\n'],
    ['\n', '\r\n'],
    ['', ''],
  ])('%j', (given, expected) => {
    expect(canonicalLines(Buffer.from(given)).bytes.toString()).toBe(expected);
  });

  test('that are right cost no copy', () => {
    const given = Buffer.from('a\r\n\r\nb\r\n');
    expect(canonicalLines(given).bytes).toBe(given);
  });

  test('the longest line and its number are told', () => {
    expect(canonicalLines(Buffer.from('a\r\nbcd\r\n\r\nxy\r\n')).longest).toEqual({ octets: 3, line: 2 });
  });

  test('ten megabytes of the worst take a moment', () => {
    for (const worst of ['\r', '\n', '\r\n', '\n\r']) {
      // Of the processor: others may want it too.
      const before = process.cpuUsage();
      canonicalLines(Buffer.from(worst.repeat((10 * 1024 * 1024) / worst.length)));
      expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000);
    }
  });
});

describe('From', () => {
  test.each([
    'a@x.example, b@y.example',
    '<a@x.example> <b@y.example>',
    'a@x.example <b@y.example>, c@z.example',
    'Group: a@x.example;',
    'A <a@x.example> B',
    '"a@x.example" b@y.example',
    'Ann, Bob <a@x.example>',
    'ceo@bank.example <a@x.example>',
    'a@x.example (b) (c)',
    '(x) a@x.example',
    'a@x.example>',
    '<@route.example:a@x.example>',
    '=?utf-8?q?a=40x.example?=',
    '=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <a@x.example>',
    '=?utf-8?b?4oCuYQ==?= <a@x.example>',
    '',
    'nobody',
    `${'"\\"'.repeat(3_000)} <a@x.example>`,
  ])('%j is not one sender', (value) => {
    expect(readFromField(value).ok).toBe(false);
  });

  test.each([
    ['a@x.example', null],
    ['<a@x.example>', null],
    ['Ann <a@x.example>', 'Ann'],
    ['"Shop, Inc." <a@x.example>', 'Shop, Inc.'],
    ['"Say \\"hi\\"" <a@x.example>', 'Say "hi"'],
    ['=?utf-8?q?Gr=C3=BC=C3=9Fe?= <a@x.example>', 'Grüße'],
    ['=?utf-8?b?R3LDvMOfZSwgSW5jLg==?= <a@x.example>', 'Grüße, Inc.'],
    ['=?utf-8?q?ceo=40bank.example?= <a@x.example>', 'ceo@bank.example'],
    ['Dr. Ann B. Smith <a@x.example>', 'Dr. Ann B. Smith'],
    ['a@x.example (Cron Daemon)', 'Cron Daemon'],
  ])('%j', (value, name) => {
    expect(readFromField(value)).toMatchObject({ ok: true, mailbox: { address: 'a@x.example', name } });
  });
});

describe('fields that speak to us', () => {
  const controls = (fields: Readonly<Record<string, string>>) => {
    const issues = collectIssues();
    const given = Object.entries(fields).map(([name, value]) => ({ name, value }));
    return { controls: readControls(given, issues), issues: issues.found };
  };

  test('of ours that are not known are told, Postmark’s are left out', () => {
    expect(controls({ 'X-Veredus-Colour': 'x' }).issues[0]?.message).toContain('x-veredus-stream');
    expect(controls({ 'X-PM-Colour': 'x', 'X-PM-KeepID': 'true' }).issues).toEqual([]);
  });

  test('that are no flags are told', () => {
    expect(controls({ 'X-Veredus-Track-Opens': 'yes' }).issues).toHaveLength(1);
  });

  test.each(['HtmlAndText', 'HTML_AND_TEXT', 'htmlAndText'])('link tracking %s', (value) => {
    expect(controls({ 'X-PM-TrackLinks': value }).controls.trackLinks).toBe('HTML_AND_TEXT');
  });

  test('named as properties of objects are ordinary', () => {
    expect(controls({ 'X-Veredus-constructor': 'x' }).issues).toHaveLength(1);
    expect(controls({ 'X-PM-Metadata-__proto__': 'x' }).controls.metadata).toEqual(
      Object.fromEntries([['__proto__', 'x']]),
    );
  });
});

describe('a message', () => {
  test('loses what is for us and for nobody, with its folds, and nothing else', () => {
    const { submission, issues } = read(
      'Received: by x\r\nBCC: a@x.example,\r\n b@x.example\r\nFrom: a@x.example\r\nFeedback-ID: x\r\nx-veredus-tag: t\r\nSubject:\r\n x\r\nReturn-Path: <>\r\nResent-Bcc: c@x.example\r\n\r\nBcc: stays\r\n',
    );
    expect(issues).toEqual([]);
    expect(submission?.source.toString()).toBe(
      'Received: by x\r\nFrom: a@x.example\r\nSubject:\r\n x\r\n\r\nBcc: stays\r\n',
    );
    expect(submission?.source.toString('latin1', submission.bodyStart)).toBe('Bcc: stays\r\n');
    expect(submission).toMatchObject({ lacks: { date: true, messageId: true }, controls: { tag: 't' } });
  });

  test('without a body gets the end of its header', () => {
    expect(read('From: a@x.example\r\n').submission?.source.toString()).toBe('From: a@x.example\r\n\r\n');
    expect(read('From: a@x.example').submission).toMatchObject({ bodyStart: 21 });
    expect(read('Bcc: x\r\nFrom: a@x.example\r\n').submission?.source.toString()).toBe('From: a@x.example\r\n\r\n');
  });

  test('whose Date and Message-ID say nothing gets ours in their place', () => {
    const { submission } = read('From: a@x.example\r\nDate:\r\nMessage-ID: \r\n\r\nx\r\n');
    expect(submission?.source.toString()).toBe('From: a@x.example\r\n\r\nx\r\n');
    expect(submission?.lacks).toEqual({ date: true, messageId: true });
  });

  test('with eight bits is told, by where they are', () => {
    expect(read('From: a@x.example\r\n\r\nä\r\n').submission).toMatchObject({ eightBit: true, smtpUtf8: false });
    expect(read('From: a@x.example\r\nSubject: ä\r\n\r\nx\r\n').submission).toMatchObject({
      eightBit: false,
      smtpUtf8: true,
    });
    expect(read('From: a@x.example\r\nBcc: ä\r\n\r\nx\r\n').submission).toMatchObject({ smtpUtf8: false });
  });

  test.each([
    ['a blank before the colon', 'From : a@x.example\r\n\r\n', /line 1: is not a header field/],
    ['a fold at the beginning', ' x\r\nFrom: a@x.example\r\n\r\n', /line 1: is not a header field/],
    ['an mbox line', 'From a@x.example Sat Nov 21\r\nFrom: a@x.example\r\n\r\n', /line 1/],
    ['too many fields', `${'X: y\r\n'.repeat(501)}\r\n`, /more than 500 fields/],
    ['a header that is too long', `${`X: ${'y'.repeat(900)}\r\n`.repeat(200)}\r\n`, /131072 octets/],
    ['two Message-IDs', 'Message-ID: <a@b>\r\nMessage-Id: <c@d>\r\n\r\n', /stands in the header 2 times/],
  ])('with %s is told', (_name, source, words) => {
    expect(read(source).issues.join('; ')).toMatch(words);
  });

  test('of any octets is read or refused, and never more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('From', ':', ' ', 'x', '\r\n', '\n', '\t', 'Bcc: y\r\n', '\0', '\xff')),
        (all) => {
          const { submission, issues } = read(Buffer.from(all.join(''), 'latin1'));
          if (submission === null) expect(issues).not.toEqual([]);
          else
            expect(submission.source.subarray(submission.bodyStart - 2, submission.bodyStart).toString()).toBe('\r\n');
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

test.each([
  ['=?utf-8?q?a=0D=0Ab?=', true],
  ['=?utf-8?Q?a=0ab?=', true],
  ['=?utf-8?b?YQ0KYg==?=', true],
  ['=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=', false],
  ['=?utf-8?q?a=C3=BC?=', false],
  ['=0D=0A', false],
])('a line break hides in %s: %s', (value, expected) => {
  expect(hidesLineBreak(value)).toBe(expected);
});
