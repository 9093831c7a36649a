// Secrets at rest: who cannot read them, then who can.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '#/runtime/random.ts';
import { createSecretBox } from '#/runtime/secret-box.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';

const OLD = 'the old key, of at least 32 characters';
const NEW = 'the new key, of at least 32 characters';
const plain = Buffer.from('a private key');
const box = (...keys: string[]) => createSecretBox(keys, systemRandom);

describe('a sealed secret does not open', () => {
  test('with another key, and says so without the key', () => {
    const sealed = box(OLD).seal(plain, 'table/row');
    expect(() => box(NEW).open(sealed, 'table/row')).toThrow(/not in VEREDUS_SECRET_KEY/);
  });

  test('for another purpose', () => {
    const sealed = box(OLD).seal(plain, 'table/row');
    expect(() => box(OLD).open(sealed, 'table/other')).toThrow(/belongs elsewhere/);
  });

  test('when any of its bytes was changed, or it was cut', () => {
    const sealed = box(OLD).seal(plain, 'table/row');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(sealed.readUInt8(at) ^ 1, at);
      expect(() => box(OLD).open(changed, 'table/row')).toThrow();
    }
    for (const length of [0, 1, 20, sealed.length - 1]) {
      expect(() => box(OLD).open(sealed.subarray(0, length), 'table/row')).toThrow();
    }
  });
});

describe('a sealed secret', () => {
  test('opens, is never sealed to the same bytes, and shows nothing of its text', () => {
    const one = box(OLD).seal(plain, 'table/row');
    const two = box(OLD).seal(plain, 'table/row');
    expect(box(OLD).open(one, 'table/row')).toEqual(plain);
    expect(one.equals(two)).toBe(false);
    expect(one.includes(plain)).toBe(false);
    expect(box(OLD).open(box(OLD).seal(Buffer.alloc(0), 'x'), 'x')).toHaveLength(0);
  });

  test('opens with each of several keys; the first seals', () => {
    const old = box(OLD).seal(plain, 'table/row');
    const both = box(NEW, OLD);
    expect(both.open(old, 'table/row')).toEqual(plain);
    expect(both.isCurrent(old)).toBe(false);
    const again = both.seal(plain, 'table/row');
    expect(both.isCurrent(again)).toBe(true);
    expect(box(NEW).open(again, 'table/row')).toEqual(plain);
  });
});

describe('the keys', () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'veredus-keys-'));
  });
  afterAll(() => rm(dataDir, { recursive: true }));

  test('are not made again in the place of an empty file', async () => {
    const folder = await mkdtemp(join(dataDir, 'empty-'));
    await writeFile(join(folder, 'secret.key'), '\n');
    await expect(obtainSecretKeys({ dataDir: folder, secretKeys: null })).rejects.toThrow(/empty/);
  });

  test('are made once in the data folder, for its owner alone to read', async () => {
    const ask = () => obtainSecretKeys({ dataDir, secretKeys: null });
    const all = await Promise.all([ask(), ask(), ask()]);
    const [first] = all[0] ?? [];
    expect(new Set(all.map(([key]) => key))).toEqual(new Set([first]));
    expect((await stat(join(dataDir, 'secret.key'))).mode & 0o777).toBe(0o600);
    expect((await readFile(join(dataDir, 'secret.key'), 'utf8')).trim()).toBe(first);
    // A key that the operator sets later seals; what the first one sealed still opens.
    expect(await obtainSecretKeys({ dataDir, secretKeys: [NEW] })).toEqual([NEW, first]);
  });
});
