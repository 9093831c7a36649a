// An authenticator app that we did not write: otplib makes the codes.
import { generateSync } from 'otplib';

/** `secret` in base32, as it is shown to people. */
export function codeAt(secret: string, now: Date, steps = 0): string {
  return generateSync({ secret, epoch: Math.floor(now.getTime() / 1_000) + steps * 30 });
}

/** Of people.ts: '12345678901234567890', the secret of RFC 6238's own examples. */
export const peoplesSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
