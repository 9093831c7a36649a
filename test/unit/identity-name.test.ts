// Which names can be somebody's domain, and when a domain is looked at again.
import { describe, expect, test } from 'vitest';
import { identityName, returnPathName } from '#/domain/sender-identity/identity-name.ts';
import { nextCheckAt } from '#/domain/sender-identity/rules.ts';

describe('refused', () => {
  test.each([
    ['', /empty/],
    ['acme', /without a dot/],
    ['co.uk', /public suffix/],
    ['github.io', /public suffix/],
    ['xn--55qx5d.cn', /public suffix/],
    ['公司.cn', /public suffix/],
    ['192.0.2.1', /IP address/],
    ['[192.0.2.1]', /IP address/],
    ['gmail.com', /mailbox provider/],
    ['GMail.com', /mailbox provider/],
    ['yahoo.co.uk', /mailbox provider/],
    ['mail.yahoo.de', /mailbox provider/],
    ['outlook.com', /mailbox provider/],
    ['post@acme.example', /is an address/],
    ['_dmarc.acme.example', /character/],
    ['a..example', /misplaced dot/],
    ['ａcme.example', /not a valid international/],
    ['acme.example/x', /character/],
    ['a\0.example', /character/],
    [`${'a.'.repeat(120)}example`, /longer than/],
  ])('%s', (text, reason) => {
    expect(identityName(text)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) });
  });

  test.each(['acme.example', 'bounces.other.example', 'x', 'notacme.example'])('%s as return path', (text) => {
    expect(returnPathName(text, 'acme.example').ok).toBe(false);
  });
});

test.each([
  ['Acme.Example', 'acme.example'],
  [' acme.example. ', 'acme.example'],
  ['news.acme.co.uk', 'news.acme.co.uk'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['somebody.github.io', 'somebody.github.io'],
])('%s is %s', (text, name) => {
  expect(identityName(text)).toEqual({ ok: true, name });
});

test('looks often while somebody waits, ever more seldom, and daily when all is well', () => {
  const now = new Date('2026-01-05T12:00:00Z');
  const minutes = (waited: number | null, more: { lost?: boolean; unknown?: boolean } = {}) => {
    const waitingSince = waited === null ? null : new Date(now.getTime() - waited * 60_000);
    const next = nextCheckAt(now, { waitingSince, lost: false, unknown: false, ...more });
    return (next.getTime() - now.getTime()) / 60_000;
  };
  expect([5, 120, 3 * 1_440, 30 * 1_440, null].map((waited) => minutes(waited))).toEqual([1, 10, 60, 1_440, 1_440]);
  expect(minutes(null, { lost: true })).toBe(60);
  expect(minutes(null, { unknown: true })).toBe(15);
  expect(minutes(5, { unknown: true })).toBe(1);
});
