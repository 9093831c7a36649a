// The form of tokens: what the published expression finds, that one wrong character is always noticed, and that chance is
// spread evenly.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isWellFormedSession,
  isWellFormedToken,
  makeToken,
  redactTokens,
  SESSION_PREFIX,
  tokenHint,
  tokenPattern,
  tokenPrefixes,
} from '#/domain/token.ts';
import { systemRandom } from '#/runtime/random.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** docs/tokens.md. */
const PUBLISHED = /\bvr[sta]_[0-9A-Za-z]{38}\b/;

const prefix = fc.constantFrom(...Object.values(tokenPrefixes));
/** Made of arbitrary bytes, not only of those that chance is likely to give. */
const token = fc
  .tuple(prefix, fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer())
  .map(([kind, first, seed]) => {
    let drawn = 0;
    return makeToken(kind, (length) =>
      drawn++ === 0 ? first : Uint8Array.from({ length }, (_, index) => Math.abs(seed + drawn * 31 + index * 7) % 248),
    );
  });

describe('a token', () => {
  test('is well-formed as it was made, and found by the published expression wherever it stands', () => {
    fc.assert(
      fc.property(token, fc.constantFrom('', ' ', '"', '=', '/', '\n', "'", '-'), (made, around) => {
        expect(made).toHaveLength(42);
        expect(isWellFormedToken(made)).toBe(true);
        expect(tokenPattern.test(made)).toBe(true);
        expect(PUBLISHED.exec(`${around}${made}${around}`)?.[0]).toBe(made);
      }),
    );
  });

  test('is refused with any one character changed, at any place', () => {
    fc.assert(
      fc.property(token, (made) => {
        for (let index = 0; index < made.length; index++) {
          for (const other of ALPHABET) {
            if (other === made[index]) continue;
            const changed = made.slice(0, index) + other + made.slice(index + 1);
            if (isWellFormedToken(changed)) throw new Error(`${made} and ${changed} are both well-formed`);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('is refused with any character at all in the place of one, with one more, and with one less', () => {
    fc.assert(
      fc.property(token, fc.nat(41), fc.string({ minLength: 0, maxLength: 3, unit: 'binary' }), (made, index, text) => {
        const changed = made.slice(0, index) + text + made.slice(index + 1);
        expect(isWellFormedToken(changed)).toBe(changed === made);
        expect(isWellFormedToken(`${made}${text}`)).toBe(text === '');
        expect(isWellFormedToken(`${text}${made}`)).toBe(text === '');
      }),
    );
  });

  test('is refused with two neighbours exchanged', () => {
    fc.assert(
      fc.property(token, fc.integer({ min: 0, max: 40 }), (made, index) => {
        const [one = '', other = ''] = [made[index], made[index + 1]];
        const changed = made.slice(0, index) + other + one + made.slice(index + 2);
        expect(isWellFormedToken(changed)).toBe(one === other);
      }),
    );
  });

  test('is no session, and a session no token', () => {
    const session = makeToken(SESSION_PREFIX, (length) => systemRandom.bytes(length));
    expect([isWellFormedToken(session), isWellFormedSession(session)]).toEqual([false, true]);
    const made = makeToken('vrs_', (length) => systemRandom.bytes(length));
    expect([isWellFormedToken(made), isWellFormedSession(made)]).toEqual([true, false]);
  });

  test('shows its kind and last four characters, and no more', () => {
    fc.assert(
      fc.property(token, (made) => {
        expect(tokenHint(made)).toBe(`${made.slice(0, 4)}…${made.slice(-4)}`);
      }),
    );
  });

  test('is cut out of texts whole, with sessions', () => {
    const session = makeToken(SESSION_PREFIX, (length) => systemRandom.bytes(length));
    fc.assert(
      fc.property(token, (made) => {
        expect(redactTokens(`a=${made}&b=${session}; ${made}${made}`)).not.toContain(made.slice(4, 36));
        expect(redactTokens(`a=${session}`)).toBe('a=vru_…');
      }),
    );
  });
});

describe('chance', () => {
  test('bytes that would make some characters likelier are thrown away', () => {
    const bytes = [...Array.from({ length: 8 }, (_, index) => 248 + index), ...Array.from({ length: 24 }, () => 61)];
    let drawn = 0;
    const made = makeToken('vrs_', () => (drawn++ === 0 ? Uint8Array.from(bytes) : new Uint8Array(32)));
    expect(made.slice(4, 36)).toBe('z'.repeat(24) + '0'.repeat(8));
  });

  test('each byte that is taken stands for one character, and each character for four bytes', () => {
    const counts = new Map<string, number>();
    for (let byte = 0; byte < 248; byte++) {
      const character = makeToken('vrs_', (length) => new Uint8Array(length).fill(byte)).charAt(4);
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect([...counts.keys()].sort().join('')).toBe(ALPHABET);
    expect(new Set(counts.values())).toEqual(new Set([4]));
  });

  test('all characters are as frequent as each other', () => {
    const counts = new Map(Array.from(ALPHABET, (character) => [character, 0]));
    const tokens = 4_000;
    for (let made = 0; made < tokens; made++) {
      for (const character of makeToken('vra_', (length) => systemRandom.bytes(length)).slice(4, 36))
        counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    const expected = (tokens * 32) / 62;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 61 degrees of freedom: beyond 130 once in a million runs.
    expect(chiSquare).toBeLessThan(130);
  });
});
