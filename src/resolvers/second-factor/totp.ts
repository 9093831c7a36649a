// Codes of authenticator apps (RFC 6238): SHA-1, six digits, 30 seconds, which is all that every app knows. A clock may
// stand one step off to either side, and each code is good once (§5.2).
import { Secret, TOTP } from 'otpauth';
import { renderSVG } from 'uqr';
import type { Random } from '#/runtime/ports.ts';

const ISSUER = 'Veredus';
const PERIOD_SECONDS = 30;
const DRIFT_STEPS = 1;
/** As long as the hash (RFC 4226 §4, R6). */
const SECRET_BYTES = 20;
const CODE = /^\d{6}$/;

/** What seals a secret of this user, wherever it is bound to. */
export function totpPurpose(userId: string): string {
  return `two_factor_methods/${userId}`;
}

export function makeTotpSecret(random: Random): Buffer {
  return random.bytes(SECRET_BYTES);
}

/** The time step that `typed` is the code of; null: of none that is good now, or of one that was taken already. */
export function stepOf(secret: Uint8Array, typed: string, now: Date, usedStep: number | null): number | null {
  const token = typed.replace(/\s/g, '');
  if (!CODE.test(token)) return null;
  const timestamp = now.getTime();
  const delta = totpOf(secret).validate({ token, timestamp, window: DRIFT_STEPS });
  if (delta === null) return null;
  const step = TOTP.counter({ period: PERIOD_SECONDS, timestamp }) + delta;
  return usedStep === null || step > usedStep ? step : null;
}

/** The secret in the three forms that apps take. */
export function totpShown(secret: Uint8Array, email: string) {
  const totp = totpOf(secret, email);
  const uri = totp.toString();
  return { secret: totp.secret.base32, uri, qrSvg: renderSVG(uri, { border: 4 }) };
}

function totpOf(secret: Uint8Array, label = '') {
  const own = Uint8Array.from(secret);
  return new TOTP({
    issuer: ISSUER,
    label,
    secret: new Secret({ buffer: own.buffer }),
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_SECONDS,
  });
}
