// Reports made to break or hang their reader: whatever comes is read, soon, and with bounded results.
import { describe, expect, test } from 'vitest';
import { readReturned } from '#/mail/bounce/read-report.ts';
import { processorTime } from '../support/time-taken.ts';

const HEAD = 'Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nTo: a@b.example\nSubject: Undelivered Mail\n';
const REPORT = `${HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=q\n\n--q\n\nIt failed.\n--q\nContent-Type: message/delivery-status\n\n`;
const million = (text: string) => text.repeat(Math.ceil(1_000_000 / text.length));
const body = (text: string) => `${HEAD}\n${million(text)}`;
const html = (text: string) => `${HEAD}Content-Type: text/html\n\n${million(text)}`;
const typed = (type: string, text: string) => `${HEAD}Content-Type: ${type}\n\n${million(text)}`;

const cases: Readonly<Record<string, string>> = {
  nothing: '',
  zeros: million('\0'),
  'bare CR': million('\r'),
  'one long line': body('x'),
  brackets: body('<'),
  'at signs': body('@'),
  'addresses without end': body('a@b'),
  'long local parts': body(`${'a'.repeat(127)}@`),
  'open quotes': body('"\\'),
  blanks: body(' '),
  'words of rules': body('your message to the sender host user mailbox could not be delivered '),
  'phrases before addresses': body(`${'deliver '.repeat(20)}to a@b.example `),
  'quoted lines': body(`${'>'.repeat(150)}\n`),
  dashes: body('-----'),
  'a header that never ends': million('A: b\n'),
  'one field of lines': `A: b\n${million(' c\n')}`,
  parameters: `Content-Type: multipart/mixed${million(';a=b')}\n\nx`,
  'a boundary of backslashes': `Content-Type: multipart/mixed; boundary="${million('\\')}\n\nx`,
  'encoded words that never end': `Subject: ${million('=?utf-8?q?')}\n\nx`,
  'message identifiers': `${HEAD}In-Reply-To: ${million('<')}\n\nx`,
  boundaries: typed('multipart/mixed; boundary=q', '--q\n\n'),
  'almost boundaries': typed('multipart/mixed; boundary=q', '--qq\n'),
  'parts in parts': typed('multipart/mixed; boundary=b', '--b\nContent-Type: multipart/mixed; boundary=b\n\n'),
  'reports in reports': typed(
    'multipart/mixed; boundary=b',
    '--b\nContent-Type: message/rfc822\n\nFrom: mailer-daemon@x\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n',
  ),
  styles: html('<style>'),
  'HTML of tabs': html('\t'),
  'open tags': html('<a href="x"'),
  entities: html('&#'),
  'quoted-printable': `${HEAD}Content-Transfer-Encoding: quoted-printable\n\n${million(`=${' '.repeat(70)}`)}`,
  base64: `${HEAD}Content-Transfer-Encoding: base64\n\n${million('A')}`,
  'shifts of charset': typed('text/plain; charset=iso-2022-jp', '\x1b$B'),
  'an unknown charset': typed('text/plain; charset=x-nobody', '\xff'),
  complaints: `${HEAD}Content-Type: multipart/report; report-type=feedback-report; boundary=q\n\n--q\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n${million('Original-Rcpt-To: a@b.example\n')}`,
  SNS: `From: no-reply@sns.amazonaws.com\n\n{"notificationType":"Bounce","bouncedRecipients":[${million('{"emailAddress":"a@b.example"},')}`,
};

describe('hostile reports', () => {
  test.each(Object.entries(cases))('%s', (_, text) => {
    const source = Buffer.from(text, 'latin1');
    readReturned(source);
    let returned: unknown;
    // Seen: 35 ms at most, and that for the line ends of a megabyte.
    expect(processorTime(() => (returned = readReturned(source)))).toBeLessThan(400);
    expect(JSON.stringify(returned).length).toBeLessThan(600_000);
  });

  test('recipients are bounded, and what is matched of each', () => {
    const status = Array.from(
      { length: 5_000 },
      (_, n) =>
        `Final-Recipient: rfc822; u${n}@x.example\nStatus: 5.0.0\nDiagnostic-Code: smtp; ${n} ${'x'.repeat(n % 100)}\n`,
    ).join('\n');
    const returned = readReturned(Buffer.from(`${REPORT}${status}\n--q--\n`));
    expect(returned.kind).toBe('bounce');
    if (returned.kind === 'bounce') expect(returned.recipients).toHaveLength(100);
  });

  test('noise', () => {
    let state = 3;
    const octet = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24;
    for (let round = 0; round < 200; round++) {
      expect(() => readReturned(Buffer.from(Array.from({ length: 2_000 }, octet)))).not.toThrow();
      const noisy = Buffer.from(`${REPORT}Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1\n\n--q--\n`);
      for (let change = 0; change < 15; change++) noisy[((octet() << 8) | octet()) % noisy.length] = octet();
      expect(() => readReturned(noisy)).not.toThrow();
    }
  });
});
