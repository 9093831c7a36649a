// What argon2 is called with. Of argon2's package only this and its neighbours know.
import argon2 from 'argon2';

/**
 * OWASP's choice of least memory (19 MiB, 2 passes) with a pass more: 40 ms on a core of the smallest machine we support.
 * The table that it was chosen from is in docs/decisions/0013. Hashes with other parameters are made anew at sign-in.
 */
export const parameters = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 3, parallelism: 1 } as const;

/** 16 and 32 bytes, as the package makes them. */
const SALT = 16;
const TAG = 32;

/** Has the cost of a real hash, and no password: nobody finds one whose hash is all zeros. */
export const nobodysHash = `$argon2id$v=19$m=${parameters.memoryCost},p=${parameters.parallelism},t=${parameters.timeCost}$${zeros(SALT)}$${zeros(TAG)}`;

/** Base64 without padding, as PHC strings have it. */
function zeros(length: number): string {
  return Buffer.alloc(length).toString('base64').replace(/=+$/, '');
}
