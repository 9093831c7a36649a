// Secrets of links that are good for one use. 256 random bits: nobody finds one by trying.
import { createHash } from 'node:crypto';
import type { Random } from '#/runtime/ports.ts';

const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** As it is mailed, and what is kept of it. */
export interface OneTimeSecret {
  readonly secret: string;
  readonly hash: Buffer;
}

export function makeOneTimeSecret(random: Random): OneTimeSecret {
  const secret = random.bytes(32).toString('base64url');
  return { secret, hash: hash(secret) };
}

/** Null for what cannot be a secret of ours. */
export function hashOfSecret(secret: string): Buffer | null {
  return SECRET.test(secret) ? hash(secret) : null;
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
