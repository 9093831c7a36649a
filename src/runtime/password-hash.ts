// Passwords at rest: argon2id, one at a time, in a process of low priority beside the one that sends.
//
// Measured on two cores (docs/decisions/0013) with 50 sign-ins at once beside twenty lanes that compress and send: left to
// itself argon2 takes all four threads of libuv, compression of 5 KB waits 775 ms instead of 11, and sending falls from
// 2,785 to 92 a second. One at a time in the process: 2,087. In a child of niceness 10: 2,553; and when both cores are
// busy 18 % of sending are lost instead of 32. A niced worker thread cannot help: argon2 works in libuv's threads.
import argon2 from 'argon2';
import { RateLimited } from '#/domain/errors.ts';
import { MAX_UNITS, normalizePassword } from '#/domain/password/password-rules.ts';
import { Hasher } from './password-hash/hasher.ts';
import type { Answer, Job } from './password-hash/jobs.ts';
import { nobodysHash, parameters } from './password-hash/parameters.ts';
import type { Log, Passwords } from './ports.ts';

export interface RunningPasswords extends Passwords, AsyncDisposable {}

/** 2.6 s of work on an idle machine. Whoever comes later would give up before the answer. */
const MAX_WAITING = 64;
const RETRY_AFTER_SECONDS = 5;

/** For commands, which end after it; a server has `createPasswords`. */
export function hashPassword(password: string): Promise<string> {
  return argon2.hash(normalizePassword(password), parameters);
}

export function createPasswords(options: { readonly log: Log; readonly maxWaiting?: number }): RunningPasswords {
  const { log, maxWaiting = MAX_WAITING } = options;
  const hasher = new Hasher(log);
  /** Settles when everything that was asked for so far has. */
  let last: Promise<unknown> = Promise.resolve();
  let unfinished = 0;
  let closed = false;

  async function perform(job: Job): Promise<Answer> {
    if (closed) throw new Error('passwords are hashed no more: shutting down');
    const answer = await hasher.perform(job);
    if ('failure' in answer) throw new Error(`argon2: ${answer.failure}`);
    return answer;
  }

  async function enqueue(job: Job): Promise<Answer> {
    // One is being worked at, the others wait.
    if (unfinished > maxWaiting) throw new RateLimited(RETRY_AFTER_SECONDS);
    unfinished++;
    const answer = last.then(() => perform(job));
    last = answer.catch(() => {}).finally(() => unfinished--);
    return await answer;
  }

  return {
    async hash(password) {
      const answer = await enqueue({ kind: 'hash', password: normalizePassword(password) });
      if (!('hash' in answer)) throw new Error('the process that hashes passwords answered something else');
      return answer.hash;
    },
    async verify(hash, password) {
      // Normalising megabytes would block everybody, and nobody has such a password.
      const possible = password.length <= MAX_UNITS;
      const answer = await enqueue({
        kind: 'verify',
        hash: possible ? (hash ?? nobodysHash) : nobodysHash,
        password: possible ? normalizePassword(password) : '',
      });
      if (!('matches' in answer)) throw new Error('the process that hashes passwords answered something else');
      return hash !== null && possible ? answer : { matches: false, rehash: null };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await hasher[Symbol.asyncDispose]();
      await last;
    },
  };
}
