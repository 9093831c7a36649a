// A self-signed X.509 certificate (RFC 5280), written by hand: node can read certificates and cannot make them. It gives
// SMTP clients that do not verify, which is most of them, protection from whoever only listens.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { bits, integer, objectId, octets, pem, sequence, set, tagged, text, time, TRUE } from './der.ts';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
/** RFC 3279, 5480, 5280. */
const ECDSA_WITH_SHA256 = [1, 2, 840, 10045, 4, 3, 2];
const COMMON_NAME = [2, 5, 4, 3];
const SUBJECT_ALT_NAME = [2, 5, 29, 17];
const BASIC_CONSTRAINTS = [2, 5, 29, 19];
/** The upper bound ub-common-name; the whole name stands in subjectAltName. */
const MAX_COMMON_NAME = 64;

export function makeSelfSigned(host: string, now: Date, days: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256));
  const name = sequence(set(sequence(objectId(COMMON_NAME), text(host.slice(0, MAX_COMMON_NAME)))));
  // An hour back, for peers whose clock is behind.
  const validity = sequence(time(new Date(now.getTime() - 3_600_000)), time(new Date(now.getTime() + days * DAY_MS)));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const extensions = sequence(
    sequence(objectId(SUBJECT_ALT_NAME), octets(sequence(tagged(0x82, Buffer.from(host, 'latin1'))))),
    sequence(objectId(BASIC_CONSTRAINTS), TRUE, octets(sequence())),
  );
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serialOf(spki)),
    algorithm,
    name,
    validity,
    name,
    spki,
    tagged(0xa3, extensions),
  );
  const der = sequence(body, algorithm, bits(sign('sha256', body, privateKey)));
  return { cert: pem('CERTIFICATE', der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** Of a key that is new, so as unique as it: 16 octets, positive. */
function serialOf(spki: Buffer): Buffer {
  const serial = createHash('sha256').update(spki).digest().subarray(0, 16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}
