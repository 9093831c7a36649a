// argon2id at its cheapest: tests sign in often, and what the parameters cost is measured elsewhere.
import argon2 from 'argon2';
import type { Passwords } from '#/runtime/ports.ts';

const OPTIONS = { type: argon2.argon2id, memoryCost: 1_024, timeCost: 2, parallelism: 1 } as const;

export const cheapPasswords: Passwords = {
  hash: (password) => argon2.hash(password.normalize('NFKC'), OPTIONS),
  async verify(hash, password) {
    if (hash === null) return { matches: false, rehash: null };
    return { matches: await argon2.verify(hash, password.normalize('NFKC')), rehash: null };
  },
};
