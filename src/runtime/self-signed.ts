// A self-signed X.509 certificate (RFC 5280), written by hand: node can read certificates and cannot make them. It gives
// SMTP clients that do not verify, which is most of them, protection from whoever only listens.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

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

// ── DER (X.690) ──

const TRUE = Buffer.from([0x01, 0x01, 0xff]);

function tagged(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...items: readonly Buffer[]) => tagged(0x30, Buffer.concat(items));
const set = (...items: readonly Buffer[]) => tagged(0x31, Buffer.concat(items));
const integer = (value: Buffer) => tagged(0x02, value);
const octets = (value: Buffer) => tagged(0x04, value);
const bits = (value: Buffer) => tagged(0x03, Buffer.concat([Buffer.from([0]), value]));
const text = (value: string) => tagged(0x0c, Buffer.from(value));

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const late = date.getUTCFullYear() >= 2050;
  return tagged(late ? 0x18 : 0x17, Buffer.from(`${late ? digits : digits.slice(2)}Z`, 'latin1'));
}

function objectId(arcs: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = arcs;
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
