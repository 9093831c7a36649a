// 8-bit messages for receivers that take 7 bits.
import { isAscii } from 'node:buffer';
import { simpleParser } from 'mailparser';
import { describe, expect, test } from 'vitest';
import { inSevenBit } from '#/mail/source/seven-bit.ts';

const message = (...lines: readonly string[]) => Buffer.from(`${lines.join('\r\n')}\r\n`);

describe('what cannot be converted is not', () => {
  test.each([
    ['a signed part', message('Content-Type: multipart/signed; boundary=b', '', '--b', '', 'Grüße', '--b--')],
    [
      'the header of a part',
      message('Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Description: Grüße', '', 'ü', '--b--'),
    ],
    ['a multipart without a boundary', message('Content-Type: multipart/mixed', '', 'Grüße')],
    [
      'a message that is encoded',
      message('Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', '', 'ü'),
    ],
  ])('%s', (_name, source) => expect(inSevenBit(source)).toBeNull());
});

test('a plain text is quoted-printable, and says so where it said 8bit', async () => {
  const source = message(
    'Subject: x',
    'Content-Type: text/plain; charset=utf-8',
    'content-transfer-encoding:',
    ' 8BIT',
    '',
    'Grüße',
    'aus Köln',
  );
  const converted = inSevenBit(source) ?? Buffer.alloc(0);
  expect(converted.toString()).toBe(
    message(
      'Subject: x',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=C3=BC=C3=9Fe',
      'aus K=C3=B6ln',
    ).toString(),
  );
  expect((await simpleParser(converted)).text).toBe('Grüße\naus Köln\n');
});

test('a text without a word about its encoding gets one', () => {
  const converted = inSevenBit(message('Subject: x', '', 'caf\u00e9'))?.toString();
  expect(converted).toContain('Content-Transfer-Encoding: quoted-printable\r\nSubject: x\r\n\r\n');
});

test('of several parts those change that must, each in its own way, and no line end is lost', async () => {
  const source = message(
    'Subject: x',
    'Content-Type: multipart/mixed; boundary="outer"',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Für alte Programme',
    '--outer',
    'Content-Type: multipart/alternative; boundary=inner',
    '',
    '--inner',
    '',
    'pure  ASCII  ',
    '--inner',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    `<p>${'ü'.repeat(400)}</p>`,
    '.hidden',
    '--inner--',
    '--outer',
    'Content-Type: application/octet-stream; name=a',
    'Content-Transfer-Encoding: 8bit',
    '',
    'öct€ts',
    '--outer',
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: within',
    '',
    'Ein Brief im Brief: ü',
    '--outer--',
    'Nachwört',
  );
  const converted = inSevenBit(source) ?? Buffer.alloc(0);
  const text = converted.toString('latin1');
  expect(isAscii(converted)).toBe(true);
  expect(/\r(?!\n)|(?<!\r)\n/.test(text)).toBe(false);
  expect(Math.max(...text.split('\r\n').map(({ length }) => length))).toBeLessThanOrEqual(76);
  expect(text).not.toMatch(/8bit/i);
  expect(text).toContain('\r\n\r\npure  ASCII  \r\n--inner\r\n');
  const [before, after] = await Promise.all([simpleParser(source), simpleParser(converted)]);
  expect(after.html).toBe(before.html);
  expect(after.text).toBe(before.text);
  expect(after.attachments.map(({ content }) => content.toString())).toEqual([
    'öct€ts',
    expect.stringContaining('Ein Brief im Brief: =C3=BC'),
  ]);
});

test('a message of many parts is converted in one go', () => {
  const part = '--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus Köln\r\n';
  const source = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(500)}--b--\r\n`);
  const converted = inSevenBit(source)?.toString() ?? '';
  expect(converted.match(/Gr=C3=BC=C3=9Fe aus K=C3=B6ln/g)?.length).toBe(500);
});
