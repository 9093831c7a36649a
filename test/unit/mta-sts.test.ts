// The record and the policy of MTA-STS, and which hosts a policy names: by the letter of RFC 8461, and on hostile text.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesMx, MAX_AGE_SECONDS, readStsPolicy } from '#/mail/mta-sts/policy.ts';
import { readStsRecord } from '#/mail/mta-sts/record.ts';
import { readReportRecord } from '#/mail/reports/tls-record.ts';

describe('record', () => {
  test.each([
    ['none', []],
    ['another one', ['v=spf1 -all']],
    ['two', ['v=STSv1; id=1;', 'v=STSv1; id=2;']],
    ['no id', ['v=STSv1;']],
    ['an empty id', ['v=STSv1; id=;']],
    ['an id that is too long', [`v=STSv1; id=${'a'.repeat(33)};`]],
    ['an id with a dash', ['v=STSv1; id=a-b;']],
    ['another version', ['v=STSv2; id=1;']],
    ['the version in the wrong case', ['V=STSv1; id=1;']],
    ['the version not first', ['id=1; v=STSv1;']],
    ['a field without a value', ['v=STSv1; id=1; x']],
    ['text in between', ['v=STSv1 beta; id=1;']],
  ])('%s: no policy', (_what, texts) => expect(readStsRecord(texts)).toBeNull());

  test.each([
    ['as in the RFC', ['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
    ['without the last delimiter', ['v=STSv1;id=1'], '1'],
    ['with blanks and an extension', ['v=STSv1 ; id=1 ; x=y ;  '], '1'],
    ['beside other records', ['v=spf1 -all', 'v=STSv1; id=1'], '1'],
    ['twice an id: the first', ['v=STSv1; id=1; id=2;'], '1'],
  ])('%s', (_what, texts, id) => expect(readStsRecord(texts)).toBe(id));

  test('hostile text neither throws nor gives an id that is none', () => {
    fc.assert(
      fc.property(fc.array(fc.string().map((text) => `v=STSv1;${text}`)), (texts) => {
        const id = readStsRecord(texts);
        expect(id === null || /^[A-Za-z0-9]{1,32}$/.test(id)).toBe(true);
      }),
    );
  });
});

const lines = (...of: readonly string[]) => of.join('\r\n');
const good = ['version: STSv1', 'mode: enforce', 'mx: mail.example.com', 'max_age: 604800'];

describe('policy', () => {
  test.each([
    ['empty', ''],
    ['no version', lines(...good.slice(1))],
    ['another version', lines('version: STSv2', ...good.slice(1))],
    ['no mode', lines(good[0] ?? '', ...good.slice(2))],
    ['an unknown mode', lines(...good.map((line) => line.replace('enforce', 'report')))],
    ['the mode in capitals', lines(...good.map((line) => line.replace('enforce', 'Enforce')))],
    ['no max_age', lines(...good.slice(0, 3))],
    ['a negative max_age', lines(...good.slice(0, 3), 'max_age: -1')],
    ['a max_age of eleven digits', lines(...good.slice(0, 3), 'max_age: 12345678901')],
    ['no mx to enforce', lines(...good.filter((line) => !line.startsWith('mx')))],
    ['a bare star', lines(...good, 'mx: *')],
    ['a star inside', lines(...good, 'mx: mail.*.example.com')],
    ['a partial star', lines(...good, 'mx: m*.example.com')],
    ['an mx with a path', lines(...good, 'mx: mail.example.com/x')],
    ['an empty mx', lines(...good, 'mx:')],
    ['a line that is no field', lines(...good, 'and so on')],
    ['a page of a web server', '<!doctype html>\n<title>404</title>'],
  ])('%s: none', (_what, text) => expect(readStsPolicy(text)).toBeNull());

  test('as in the RFC, with CRLF, LF, blanks, extensions and capitals in names', () => {
    const expected = { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAge: 604_800 };
    const text = [...good, 'mx: *.Example.net', 'x-more: yes: indeed'];
    expect(readStsPolicy(lines(...text, '', ''))).toEqual(expected);
    expect(readStsPolicy(text.join('\n'))).toEqual(expected);
    expect(readStsPolicy(text.map((line) => `${line.replace(' ', '\t ')} `).join('\n'))).toEqual(expected);
  });

  test('of what stands twice the first counts, and max_age ends at a year', () => {
    const text = lines(...good.slice(0, 3), 'max_age: 9999999999', 'mode: none', 'max_age: 1');
    expect(readStsPolicy(text)).toEqual({ mode: 'enforce', mx: ['mail.example.com'], maxAge: MAX_AGE_SECONDS });
  });

  test('the mode none needs no mx', () => {
    expect(readStsPolicy(lines('version: STSv1', 'mode: none', 'max_age: 60'))).toEqual({
      mode: 'none',
      mx: [],
      maxAge: 60,
    });
  });

  test('hostile text neither throws nor gives what cannot be enforced', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('\r\n', '\n', 'mx: ', 'mode: enforce', 'version: STSv1', 'max_age: 1', '*.'),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const policy = readStsPolicy(lines(...good) + pieces.join(''));
        if (policy === null) return;
        expect(policy.mx.length).toBeGreaterThan(0);
        expect(policy.mx.every((pattern) => /^(?:\*\.)?[a-z0-9_.-]+$/.test(pattern))).toBe(true);
        expect(policy.maxAge).toBeLessThanOrEqual(MAX_AGE_SECONDS);
      }),
    );
  });

  test.each(['\r', '\u2028'])('64 kilobytes of blanks before %j are read at once', (end) => {
    const before = process.cpuUsage();
    readStsPolicy(`version: STSv1\nmode:${' \t'.repeat(32_000)}x${end}\n`);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(200);
  });

  test('64 kilobytes of one line are read at once', () => {
    const start = process.cpuUsage();
    expect(readStsPolicy(`mx: ${'a.'.repeat(32_000)}`)).toBeNull();
    expect(readStsPolicy(`mx:${' '.repeat(64_000)}x\u0000`)).toBeNull();
    expect(process.cpuUsage(start).user).toBeLessThan(500_000);
  });
});

describe('the hosts of a policy', () => {
  test.each([
    ['mail.example.com', 'example.com'],
    ['mail.example.com', '*.mail.example.com'],
    ['a.b.example.com', '*.example.com'],
    ['example.com', '*.example.com'],
    ['.example.com', '*.example.com'],
    ['mailexample.com', '*.example.com'],
    ['mail.example.com.evil.test', '*.example.com'],
    ['*.example.com', 'mail.example.com'],
    ['com', '*.com'],
    ['', '*.'],
  ])('%j is not one of %j', (host, pattern) => expect(matchesMx(host, [pattern])).toBe(false));

  test.each([
    ['mail.example.com', 'mail.example.com'],
    ['MAIL.Example.com.', 'mail.example.com'],
    ['mail.example.com', '*.example.com'],
    ['xn--bcher-kva.example', '*.example'],
  ])('%j is one of %j', (host, pattern) => expect(matchesMx(host, ['other.test', pattern])).toBe(true));

  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?$/);
  test('a star stands for exactly one label', () => {
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 6 }),
        fc.array(label, { minLength: 1, maxLength: 5 }),
        (host, rest) => {
          const expected = host.length === rest.length + 1 && host.slice(1).join('.') === rest.join('.');
          expect(matchesMx(host.join('.'), [`*.${rest.join('.')}`])).toBe(expected);
          expect(matchesMx(['x', ...rest].join('.'), [`*.${rest.join('.')}`])).toBe(true);
        },
      ),
    );
  });
});

describe('who wants reports', () => {
  test.each([
    ['no record', []],
    ['two', ['v=TLSRPTv1; rua=mailto:a@b.example', 'v=TLSRPTv1; rua=mailto:c@b.example']],
    ['no addressee', ['v=TLSRPTv1; ruf=mailto:a@b.example']],
    ['what is no address', ['v=TLSRPTv1; rua=mailto:a%40b@c.example']],
    ['a line end in the address', ['v=TLSRPTv1; rua=mailto:a%0d%0abcc:x@b.example']],
    ['another scheme', ['v=TLSRPTv1; rua=http://b.example/,ftp://b.example/']],
    ['a broken escape', ['v=TLSRPTv1; rua=mailto:a%@b.example']],
  ])('%s: nobody', (_what, texts) => expect(readReportRecord(texts)).toBeNull());

  test('addresses and URLs, each once, five at most', () => {
    const record = 'v=TLSRPTv1; rua=mailto:tls@b.example , https://r.example/v1,mailto:tls@b.example;';
    expect(readReportRecord(['v=spf1', record])).toEqual([
      { kind: 'mail', uri: 'mailto:tls@b.example', address: 'tls@b.example' },
      { kind: 'https', uri: 'https://r.example/v1' },
    ]);
    const many = Array.from({ length: 9 }, (_, n) => `mailto:a${n}@b.example`).join(',');
    expect(readReportRecord([`v=TLSRPTv1;rua=${many}`])).toHaveLength(5);
  });
});
