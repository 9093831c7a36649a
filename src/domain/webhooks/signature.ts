// Signatures of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec): over id, time and body,
// HMAC-SHA256 with each live secret (v1), and Ed25519 where there is a key (v1a).
import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';

/** The spec asks for 24 to 64. */
const SECRET_BYTES = 32;
const SECRET_PREFIX = 'whsec_';
const PUBLIC_PREFIX = 'whpk_';
/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** And before those of a public one. */
const SPKI_LENGTH = 12;

export interface SigningSecrets {
  /** `whsec_…`, the newest first. */
  readonly secrets: readonly string[];
  /** 32 bytes; null: no Ed25519. */
  readonly ed25519: Buffer | null;
}

export function makeSecret(bytes: (length: number) => Buffer): string {
  return `${SECRET_PREFIX}${bytes(SECRET_BYTES).toString('base64')}`;
}

export function makeEd25519(bytes: (length: number) => Buffer): Buffer {
  return bytes(32);
}

/** `whpk_…`, for whoever verifies. */
export function publicKeyOf(ed25519: Buffer): string {
  const spki = createPublicKey(privateKey(ed25519)).export({ format: 'der', type: 'spki' });
  return `${PUBLIC_PREFIX}${spki.subarray(SPKI_LENGTH).toString('base64')}`;
}

/** The header `webhook-signature`. `timestamp`: seconds since 1970. */
export function signatureOf({ secrets, ed25519 }: SigningSecrets, id: string, timestamp: number, body: string): string {
  const signing = new Signing(secrets, id, timestamp);
  signing.add(body);
  const signatures = [signing.end()];
  if (ed25519 !== null) {
    const content = Buffer.from(`${id}.${timestamp}.${body}`);
    signatures.push(`v1a,${sign(null, content, privateKey(ed25519)).toString('base64')}`);
  }
  return signatures.filter((signature) => signature !== '').join(' ');
}

/** The same with secrets alone, over a body that is too large to be gone through at once. */
export class Signing {
  readonly #hmacs: readonly ReturnType<typeof createHmac>[];

  constructor(secrets: readonly string[], id: string, timestamp: number) {
    this.#hmacs = secrets.map((secret) =>
      createHmac('sha256', Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')).update(`${id}.${timestamp}.`),
    );
  }

  add(piece: string | Uint8Array): void {
    for (const hmac of this.#hmacs) hmac.update(piece);
  }

  end(): string {
    return this.#hmacs.map((hmac) => `v1,${hmac.digest('base64')}`).join(' ');
  }
}

function privateKey(ed25519: Buffer) {
  return createPrivateKey({ key: Buffer.concat([PKCS8, ed25519]), format: 'der', type: 'pkcs8' });
}
