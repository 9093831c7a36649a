// Passwords at rest: argon2id. 19 MiB, 2 passes, 1 lane is the least of OWASP's equal choices in memory, so that a
// burst of sign-ins fits the machine that also sends.
import argon2 from 'argon2';

const OPTIONS = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export function hashPassword(password: string): Promise<string> {
  return argon2.hash(password.normalize('NFKC'), OPTIONS);
}
