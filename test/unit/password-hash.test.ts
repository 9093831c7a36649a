// Passwords at rest: what does not match, what does, and the process that does the work.
import { execFileSync } from 'node:child_process';
import argon2, { type HashOptions } from 'argon2';
import { afterAll, describe, expect, test } from 'vitest';
import { RateLimited } from '#/domain/errors.ts';
import { createPasswords, hashPassword } from '#/runtime/password-hash.ts';
import { nobodysHash, parameters } from '#/runtime/password-hash/parameters.ts';
import type { Log } from '#/runtime/ports.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const passwords = createPasswords({ log: quiet });
const long = 'a sentence that goes on well beyond the seventy-two bytes that bcrypt would look at, 1';

afterAll(() => passwords[Symbol.asyncDispose]());

/** Of this process and running the program that hashes. */
function hashers(): readonly number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    return parent === process.pid && line.includes('password-hash/child.ts') ? [pid ?? 0] : [];
  });
}

describe('does not match', () => {
  test('another password, one that differs after 72 bytes, or one without its space', async () => {
    const hash = await hashPassword(`${long} `);
    for (const other of ['', `${long.slice(0, -1)}2 `, long]) {
      expect(await passwords.verify(hash, other)).toEqual({ matches: false, rehash: null });
    }
  });

  test('anything when there is no hash, also not what its stand-in was made of', async () => {
    for (const text of ['', 'x', '\0']) {
      expect(await passwords.verify(null, text)).toEqual({ matches: false, rehash: null });
    }
    expect(nobodysHash.split('$').slice(0, 4)).toEqual((await hashPassword('x')).split('$').slice(0, 4));
    expect(nobodysHash).toHaveLength((await hashPassword('x')).length);
  });

  test('a text longer than any password, even when it begins with the right one', async () => {
    const hash = await hashPassword('');
    expect(await passwords.verify(hash, 'a'.repeat(1_000_000))).toEqual({ matches: false, rehash: null });
  });

  test('a wrong password is not hashed anew, whatever the parameters', async () => {
    const old = await argon2.hash('right', { ...parameters, timeCost: 2 });
    expect(await passwords.verify(old, 'wrong')).toEqual({ matches: false, rehash: null });
  });
});

describe('matches', () => {
  test('in every way to write it, and says nothing of a new hash', async () => {
    const hash = await passwords.hash('Cre\u0300me bru\u0302le\u0301e ﬁne');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,p=1,t=3\$/);
    expect(await passwords.verify(hash, 'Crème brûlée fine')).toEqual({ matches: true, rehash: null });
    expect(await passwords.verify(await hashPassword('ｆｉｎｅ'), 'fine')).toEqual({ matches: true, rehash: null });
  });

  test.each<[string, HashOptions]>([
    ['passes', { ...parameters, timeCost: 2 }],
    ['memory', { ...parameters, memoryCost: 8_192 }],
    ['kind', { ...parameters, type: argon2.argon2i }],
  ])('and brings a new hash when the %s of the old one are of the past', async (_, past) => {
    const { matches, rehash } = await passwords.verify(await argon2.hash(long, past), long);
    expect(matches).toBe(true);
    expect(await passwords.verify(rehash, long)).toEqual({ matches: true, rehash: null });
  });
});

describe('the process that hashes', () => {
  test('takes so many at once and refuses the rest, known or not', async () => {
    await using few = createPasswords({ log: quiet, maxWaiting: 2 });
    const asked = await Promise.allSettled([
      few.hash('one'),
      few.verify(null, 'two'),
      few.hash('three'),
      few.hash('four'),
      few.verify(null, 'five'),
    ]);
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
    expect(asked.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))).toEqual([
      expect.any(RateLimited),
      expect.any(RateLimited),
    ]);
    expect(await few.verify(null, 'later')).toMatchObject({ matches: false });
  });

  test('fails for a stored hash that is none, and goes on', async () => {
    await expect(passwords.verify('plain text', 'plain text')).rejects.toThrow(/argon2/);
    expect(await passwords.verify(null, 'x')).toMatchObject({ matches: false });
  });

  test('has low priority and none of the environment', async () => {
    await passwords.verify(null, 'x');
    const [pid] = hashers();
    expect(execFileSync('ps', ['-o', 'ni=', '-p', String(pid)], { encoding: 'utf8' }).trim()).toBe('10');
    const environment = execFileSync('ps', ['eww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
    expect(environment).not.toMatch(/\b(?:HOME|PATH|VEREDUS_\w+)=/);
  });

  test('is started again when it died, and only what it was working at fails', async () => {
    await passwords.verify(null, 'x');
    const [pid = 0] = hashers();
    const asked = [passwords.verify(null, 'one'), passwords.verify(null, 'two')];
    await Promise.resolve();
    process.kill(pid, 'SIGKILL');
    const [first, second] = await Promise.allSettled(asked);
    expect(first).toMatchObject({ status: 'rejected' });
    expect(second).toMatchObject({ status: 'fulfilled' });
    expect(hashers()).not.toContain(pid);
  });

  test('is gone after disposal, and what was asked for fails', async () => {
    const before = hashers();
    const ours = createPasswords({ log: quiet });
    await ours.hash('x');
    expect(hashers()).toHaveLength(before.length + 1);
    const asked = Promise.allSettled([ours.hash('one'), ours.hash('two')]);
    await ours[Symbol.asyncDispose]();
    expect((await asked).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(hashers()).toEqual(before);
    await expect(ours.hash('y')).rejects.toThrow(/shutting down/);
    await ours[Symbol.asyncDispose]();
  });

  test('does not keep its parent alive, and ends with it', () => {
    const program = `
      import { createPasswords } from '#/runtime/password-hash.ts';
      const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
      console.log((await createPasswords({ log }).verify(null, 'x')).matches);`;
    const answer = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 50_000,
    });
    expect(answer.trim()).toBe('false');
  });
});
