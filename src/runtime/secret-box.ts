// Secrets at rest: AES-256-GCM under keys derived from what the operator gives.
//
//   version (1) | key id (4) | nonce (12) | ciphertext | tag (16)
//
// The header and the purpose are authenticated with the text. The id tells which key to open with while keys are rotated;
// it is derived like the key, and says nothing of it.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random, SecretBox } from './ports.ts';

const VERSION = 1;
const ID = 4;
/** Random: at 2^32 texts under one key two nonces would meet with a chance of 2^-32 (NIST SP 800-38D §8.3). */
const NONCE = 12;
const TAG = 16;
const HEADER = 1 + ID + NONCE;

interface Key {
  readonly id: Buffer;
  readonly secret: Buffer;
}

/** The first of `keys` seals, all open. */
export function createSecretBox(keys: readonly string[], random: Random): SecretBox {
  const derived = keys.map(derive);
  const [first] = derived;
  if (first === undefined) throw new Error('a secret box needs a key');

  return {
    seal(plain, purpose) {
      const header = Buffer.concat([Buffer.of(VERSION), first.id, random.bytes(NONCE)]);
      const cipher = createCipheriv('aes-256-gcm', first.secret, header.subarray(1 + ID), { authTagLength: TAG });
      cipher.setAAD(bound(header, purpose));
      return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, purpose) {
      const bytes = Buffer.from(sealed);
      if (bytes.length < HEADER + TAG || bytes[0] !== VERSION) throw new Error(`${purpose}: not a sealed secret`);
      const header = bytes.subarray(0, HEADER);
      const id = header.subarray(1, 1 + ID);
      const key = derived.find((known) => known.id.equals(id));
      if (key === undefined) {
        throw new Error(`${purpose}: sealed with a key that is not in VEREDUS_SECRET_KEY (id ${id.toString('hex')})`);
      }
      const decipher = createDecipheriv('aes-256-gcm', key.secret, header.subarray(1 + ID), { authTagLength: TAG });
      decipher.setAAD(bound(header, purpose));
      decipher.setAuthTag(bytes.subarray(-TAG));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEADER, -TAG)), decipher.final()]);
      } catch (error) {
        throw new Error(`${purpose}: the sealed secret was changed, or belongs elsewhere`, { cause: error });
      }
    },
    isCurrent: (sealed) => sealed[0] === VERSION && first.id.equals(sealed.subarray(1, 1 + ID)),
  };
}

function derive(text: string): Key {
  const bytes = (info: string, length: number) =>
    Buffer.from(hkdfSync('sha256', text, 'veredus secrets at rest', info, length));
  return { secret: bytes('key', 32), id: bytes('id', ID) };
}

function bound(header: Buffer, purpose: string): Buffer {
  return Buffer.concat([header, Buffer.from(purpose)]);
}
