// Makes the two DKIM keys of a domain, and reads them back.
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { DkimAlgorithm } from './sign.ts';

export interface GeneratedDkimKey {
  readonly algorithm: DkimAlgorithm;
  /** PKCS #8 in DER: a secret, to be encrypted before it is stored. */
  readonly privateKey: Buffer;
  /** The text of the TXT record to publish. */
  readonly record: string;
}

/** RFC 8301 §3.2: receivers need not take more than 2048, and 4096 does not fit a DNS answer over UDP. */
const RSA_BITS = 2048;

const generate = promisify(generateKeyPair);

/** RSA, which every receiver checks, and Ed25519, which some do and the others pass over. */
export async function generateDkimKeys(): Promise<{
  readonly rsa: GeneratedDkimKey;
  readonly ed25519: GeneratedDkimKey;
}> {
  const [rsa, ed25519] = await Promise.all([generate('rsa', { modulusLength: RSA_BITS }), generate('ed25519')]);
  return { rsa: toStored('rsa-sha256', rsa), ed25519: toStored('ed25519-sha256', ed25519) };
}

/** From the form that is stored; throws on anything else. Keep the answer: making it costs more than signing with it. */
export function readPrivateKey(pkcs8: Buffer): KeyObject {
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
}

/** The record for a key, private or public. */
export function recordOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ format: 'der', type: 'spki' });
  switch (publicKey.asymmetricKeyType) {
    case 'rsa':
      return `v=DKIM1; k=rsa; p=${der.toString('base64')}`;
    case 'ed25519':
      // RFC 8463 §4.2: the 32 octets alone, which end the SubjectPublicKeyInfo.
      return `v=DKIM1; k=ed25519; p=${der.subarray(-32).toString('base64')}`;
    default:
      throw new TypeError(`DKIM has no keys of the kind ${publicKey.asymmetricKeyType}`);
  }
}

function toStored(
  algorithm: DkimAlgorithm,
  pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
): GeneratedDkimKey {
  const privateKey = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  return { algorithm, privateKey, record: recordOf(pair.publicKey) };
}
