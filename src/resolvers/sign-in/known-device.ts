// Devices that have signed in as somebody before. A browser keeps one secret for all that use it; the database knows for
// each user which secrets (their SHA-256) have come so far.
import { isKnownDevice } from '#/db/known-devices.ts';
import type { Random } from '#/runtime/ports.ts';
import type { Deps } from '../deps.ts';
import { secretHashOf } from '../sessions/session-check.ts';
import type { Visitor } from '../visitor.ts';

/** 256 bits in base64url. What has another form is not ours, and might be guessed. */
const SECRET = /^[A-Za-z0-9_-]{43}$/;

export function makeDeviceSecret(random: Random): string {
  return random.bytes(32).toString('base64url');
}

/** What the visitor's browser shows; null: nothing of ours. */
export function deviceSecretOf({ cookies }: Visitor): string | null {
  const secret = cookies?.device ?? null;
  return secret !== null && SECRET.test(secret) ? secret : null;
}

/** Names the device where it is known to be the user's; null: a stranger's. */
export async function knownDeviceOf(
  { db }: Pick<Deps, 'db'>,
  visitor: Visitor,
  userId: string,
): Promise<string | null> {
  const secret = deviceSecretOf(visitor);
  if (secret === null) return null;
  const hash = secretHashOf(secret);
  return (await isKnownDevice(db, userId, hash)) ? hash.toString('base64url') : null;
}
