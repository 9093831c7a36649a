import { expect, test } from 'vitest';
import { requestHash } from '#/domain/email/request-hash.ts';

const base = { from: 'a@b.example', to: ['c@d.example'], text: 'x', metadata: { a: '1', b: '2' } };
const hex = (input: object) => requestHash(input).toString('hex');

test('the same request has the same hash, whatever its key, its order of keys and its nulls', () => {
  expect(requestHash(base)).toHaveLength(32);
  expect(hex({ ...base, idempotencyKey: 'k' })).toBe(hex(base));
  expect(hex({ metadata: { b: '2', a: '1' }, text: 'x', to: ['c@d.example'], from: 'a@b.example', tag: null })).toBe(
    hex(base),
  );
  expect(hex({ ...base, cc: undefined })).toBe(hex(base));
});

test('every difference that means something has another hash', () => {
  const others: object[] = [
    base,
    { ...base, text: 'y' },
    { ...base, html: 'x' },
    { ...base, to: ['c@d.example', 'e@d.example'] },
    { ...base, to: [], cc: ['c@d.example'] },
    { ...base, metadata: { a: '12', b: '' } },
    { ...base, metadata: { a: 1, b: '2' } },
    { ...base, metadata: { a: '1', b: '2', idempotencyKey: 'k' } },
    { ...base, metadata: { a: true, b: '2' } },
    { ...base, metadata: { a: 'true', b: '2' } },
    { ...base, metadata: { a: [null, 'x'], b: '2' } },
    { ...base, metadata: { a: ['x', null], b: '2' } },
    { ...base, metadata: { a: ['x'], b: '2' } },
    { ...base, sendAt: new Date(0) },
    { ...base, sendAt: new Date(1) },
    { ...base, expiresAt: new Date(0) },
    { ...base, attachments: [{ name: 'a', contentType: 'b/c', content: 'QQ==' }] },
    { ...base, attachments: [{ name: 'a', contentType: 'b/c', content: 'Qg==' }] },
    { ...base, text: 'xs4:htmls1:x' },
  ];
  expect(new Set(others.map(hex)).size).toBe(others.length);
});
