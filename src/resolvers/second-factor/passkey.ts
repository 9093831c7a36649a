// Passkeys and security keys as second factor (WebAuthn). What we are is told by the public URL: a key answers that site
// and no other, which is what makes it proof against phishing. A touch is asked for and no PIN: the password is the other
// factor. No attestation: which make of key it is decides nothing here.
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { z } from 'zod';
import { CHALLENGE_MINUTES } from '#/domain/identity/rules.ts';
import type { Log } from '#/runtime/ports.ts';

/** Loaded with the first key that comes: every process would hold its 5 MB, and most never see one. */
const webauthn = () => import('@simplewebauthn/server');
const webauthnHelpers = () => import('@simplewebauthn/server/helpers');

/** EdDSA, ES256, RS256: every authenticator has one of them. */
const ALGORITHMS = [-8, -7, -257];
const CHALLENGE_BYTES = 32;
const TIMEOUT_MS = CHALLENGE_MINUTES * 60_000;
const TRANSPORTS: ReadonlySet<string> = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

/** CTAP allows credential ids of 1,023 bytes; the rest is a few hundred bytes, and RSA keys have 256. */
const base64url = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[A-Za-z0-9_-]+$/);
const credential = { id: base64url(1_400), rawId: base64url(1_400), type: z.literal('public-key') };
const registration = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64url(4_096),
    attestationObject: base64url(8_192),
    transports: z.array(z.string().max(20)).max(10).optional(),
  }),
});
const authentication = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64url(4_096),
    authenticatorData: base64url(4_096),
    signature: base64url(2_048),
    userHandle: base64url(200).nullish(),
  }),
});

const MAX_REASON = 300;

/** Which site keys answer, and where it is told why an answer was refused. */
export interface Site {
  readonly publicUrl: string;
  readonly log: Log;
}

export interface KnownPasskey {
  readonly credentialId: string;
  readonly publicKey: Buffer;
  readonly signCount: number;
  readonly transports: readonly string[];
}

export function makeChallenge(random: { bytes(length: number): Buffer }): Buffer {
  return random.bytes(CHALLENGE_BYTES);
}

/** For `navigator.credentials.create`. */
export async function enrollmentOptions(
  publicUrl: string,
  challenge: Buffer,
  user: { readonly userId: string; readonly email: string; readonly name: string },
  known: readonly KnownPasskey[],
): Promise<object> {
  const { generateRegistrationOptions } = await webauthn();
  return generateRegistrationOptions({
    rpName: 'Veredus',
    rpID: new URL(publicUrl).hostname,
    userName: user.email,
    userDisplayName: user.name,
    userID: Uint8Array.from(Buffer.from(user.userId)),
    challenge: Uint8Array.from(challenge),
    timeout: TIMEOUT_MS,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: known.map(descriptorOf),
    authenticatorSelection: { residentKey: 'discouraged', userVerification: 'discouraged' },
  });
}

/** For `navigator.credentials.get`. */
export async function verificationOptions(
  publicUrl: string,
  challenge: Buffer,
  known: readonly KnownPasskey[],
): Promise<object> {
  const { generateAuthenticationOptions } = await webauthn();
  return generateAuthenticationOptions({
    rpID: new URL(publicUrl).hostname,
    challenge: Uint8Array.from(challenge),
    timeout: TIMEOUT_MS,
    userVerification: 'discouraged',
    allowCredentials: known.map(descriptorOf),
  });
}

/** The new key; null: the answer is not one to this challenge, for this site, by a key of these kinds. */
export async function enrolled(
  { publicUrl, log }: Site,
  challenge: Buffer,
  answer: unknown,
): Promise<KnownPasskey | null> {
  const read = registration.safeParse(answer);
  if (!read.success) return null;
  const { id, rawId, type, response } = read.data;
  try {
    // Certificates would be followed to where they say their revocation is told: into the network, at an address that
    // the caller chose. None was asked for, and a browser sends none then.
    if (await holdsCertificates(response.attestationObject)) return null;
    const { verifyRegistrationResponse } = await webauthn();
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { id, rawId, type, response, clientExtensionResults: {} } as RegistrationResponseJSON,
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: new URL(publicUrl).origin,
      expectedRPID: new URL(publicUrl).hostname,
      requireUserVerification: false,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (registrationInfo === undefined) return null;
    const { id: credentialId, publicKey, counter } = registrationInfo.credential;
    const transports = (response.transports ?? []).filter((transport) => TRANSPORTS.has(transport));
    return { credentialId, publicKey: Buffer.from(publicKey), signCount: counter, transports };
  } catch (error) {
    return refused(log, error);
  }
}

/** Id of the credential that `answer` says it is by; null: it is not the answer of a key. */
export function credentialIdOf(answer: unknown): string | null {
  const read = authentication.safeParse(answer);
  return read.success ? read.data.id : null;
}

/** The key's new count; null: not an answer to this challenge, for this site, by this key, or by a copy of it. */
export async function verified(
  { publicUrl, log }: Site,
  challenge: Buffer,
  key: KnownPasskey,
  answer: unknown,
): Promise<number | null> {
  const read = authentication.safeParse(answer);
  if (!read.success) return null;
  const { id, rawId, type, response } = read.data;
  try {
    const { verifyAuthenticationResponse } = await webauthn();
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { id, rawId, type, response, clientExtensionResults: {} } as AuthenticationResponseJSON,
      expectedChallenge: challenge.toString('base64url'),
      expectedOrigin: new URL(publicUrl).origin,
      expectedRPID: new URL(publicUrl).hostname,
      requireUserVerification: false,
      credential: {
        id: key.credentialId,
        publicKey: Uint8Array.from(key.publicKey),
        counter: key.signCount,
      },
    });
    return verified ? authenticationInfo.newCounter : null;
  } catch (error) {
    return refused(log, error);
  }
}

/** An origin that is not expected is most often a VEREDUS_PUBLIC_URL that is not what browsers see. */
function refused(log: Log, error: unknown): null {
  const reason = error instanceof Error ? error.message.slice(0, MAX_REASON) : 'unknown';
  log.info({ reason }, 'the answer of a passkey was refused');
  return null;
}

function descriptorOf({ credentialId, transports }: KnownPasskey) {
  return { id: credentialId, transports: [...transports] };
}

/** Self attestation (`packed` without them) is by the new key itself, and harmless. */
async function holdsCertificates(attestationObject: string): Promise<boolean> {
  const { decodeAttestationObject } = await webauthnHelpers();
  const object = decodeAttestationObject(Uint8Array.from(Buffer.from(attestationObject, 'base64url')));
  const format = object.get('fmt');
  return format !== 'none' && (format !== 'packed' || object.get('attStmt').get('x5c') !== undefined);
}
