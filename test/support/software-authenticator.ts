// A security key in software (WebAuthn Level 3): ES256 keys, a counter, `none` attestation. It signs what it is told to, also
// what no browser would: another origin, an old challenge, a counter that went back.
import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

const USER_PRESENT = 0x01;
const ATTESTED = 0x40;

interface Forged {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  /** What the flags say besides. */
  readonly present?: boolean;
  /** In place of the next count. */
  readonly count?: number;
  /** An attestation statement of this format, with a certificate. */
  readonly certificateFormat?: string;
}

interface Options {
  readonly challenge: string;
  readonly rp?: { readonly id?: string };
  readonly rpId?: string;
}

export class SoftwareAuthenticator {
  readonly credentialId = randomBytes(32);
  readonly #origin: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  #count = 0;

  constructor(origin: string) {
    this.#origin = origin;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  /** As `navigator.credentials.create(…).toJSON()`. */
  create(options: Options, forged: Forged = {}) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const authData = Buffer.concat([
      this.#header(forged.rpId ?? options.rp?.id ?? '', ATTESTED, forged),
      Buffer.alloc(16),
      length,
      this.credentialId,
      this.#cosePublicKey(),
    ]);
    const format = forged.certificateFormat ?? 'none';
    const statement =
      format === 'none'
        ? map([])
        : map([
            [text('x5c'), list([bytes(randomBytes(300))])],
            [text('sig'), bytes(randomBytes(70))],
          ]);
    const attestationObject = map([
      [text('fmt'), text(format)],
      [text('attStmt'), statement],
      [text('authData'), bytes(authData)],
    ]);
    return this.#answer({
      clientDataJSON: this.#clientData('webauthn.create', options, forged).toString('base64url'),
      attestationObject: attestationObject.toString('base64url'),
      transports: ['internal', 'made-up'],
    });
  }

  /** As `navigator.credentials.get(…).toJSON()`. */
  get(options: Options, forged: Forged = {}) {
    const authenticatorData = this.#header(forged.rpId ?? options.rpId ?? '', 0, forged);
    const clientData = this.#clientData('webauthn.get', options, forged);
    const signed = Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()]);
    return this.#answer({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: createSign('sha256').update(signed).sign(this.#privateKey).toString('base64url'),
    });
  }

  #answer<T>(response: T) {
    const id = this.credentialId.toString('base64url');
    return { id, rawId: id, type: 'public-key', response, clientExtensionResults: {} };
  }

  #clientData(type: string, { challenge }: Options, forged: Forged): Buffer {
    const origin = forged.origin ?? this.#origin;
    return Buffer.from(JSON.stringify({ type, challenge: forged.challenge ?? challenge, origin, crossOrigin: false }));
  }

  #header(rpId: string, flags: number, { present = true, count }: Forged): Buffer {
    this.#count = count ?? this.#count + 1;
    const rest = Buffer.alloc(5);
    rest.writeUInt8(flags | (present ? USER_PRESENT : 0));
    rest.writeUInt32BE(this.#count, 1);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), rest]);
  }

  /** RFC 9052 §7: EC2, ES256, P-256, x, y. */
  #cosePublicKey(): Buffer {
    const { x = '', y = '' } = this.#publicKey.export({ format: 'jwk' });
    return map([
      [number(1), number(2)],
      [number(3), number(-7)],
      [number(-1), number(1)],
      [number(-2), bytes(Buffer.from(x, 'base64url'))],
      [number(-3), bytes(Buffer.from(y, 'base64url'))],
    ]);
  }
}

// As much of CBOR (RFC 8949) as that takes.
function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.of((major << 5) | argument);
  if (argument < 256) return Buffer.of((major << 5) | 24, argument);
  return Buffer.of((major << 5) | 25, argument >> 8, argument & 255);
}
const number = (value: number) => (value < 0 ? head(1, -1 - value) : head(0, value));
const bytes = (value: Buffer) => Buffer.concat([head(2, value.length), value]);
const text = (value: string) => Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
const list = (items: readonly Buffer[]) => Buffer.concat([head(4, items.length), ...items]);
const map = (entries: readonly (readonly [Buffer, Buffer])[]) =>
  Buffer.concat([head(5, entries.length), ...entries.flat()]);
