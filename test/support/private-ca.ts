// A certificate authority of a test's own, made at run time, with leaves as good or bad as the test wants them.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { bits, integer, objectId, octets, pem, sequence, set, tagged, text, time, TRUE } from '#/runtime/der.ts';

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = sequence(objectId([1, 2, 840, 10045, 4, 3, 2]));
const COMMON_NAME = [2, 5, 4, 3];
const SUBJECT_ALT_NAME = [2, 5, 29, 17];
const BASIC_CONSTRAINTS = [2, 5, 29, 19];

export interface TestCertificate {
  /** PEM; of a leaf with the authority's behind it. */
  readonly cert: string;
  readonly key: string;
  /** Of the certificate itself. */
  readonly der: Buffer;
}

export interface LeafOptions {
  readonly names: readonly string[];
  /** Its common name; the first of the names unless told. */
  readonly common?: string;
  /** Days from now; a year from yesterday on unless told. */
  readonly from?: number;
  readonly to?: number;
}

export interface PrivateCa {
  readonly certificate: TestCertificate;
  issue(options: LeafOptions): TestCertificate;
}

export function privateCa(name = 'Test authority'): PrivateCa {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name, key: pair.privateKey };
  const authority = certificate({
    subject: name,
    publicKey: pair.publicKey,
    issuer,
    ca: true,
    names: [],
    from: -1,
    to: 365,
  });
  const ca = withKey(authority, pair.privateKey);
  return {
    certificate: ca,
    issue({ names, common, from = -1, to = 364 }) {
      const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const subject = common ?? names[0] ?? 'nobody';
      const made = withKey(
        certificate({ subject, publicKey: leaf.publicKey, issuer, ca: false, names, from, to }),
        leaf.privateKey,
      );
      return { ...made, cert: made.cert + ca.cert };
    },
  };
}

export function selfSigned(names: readonly string[]): TestCertificate {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = names[0] ?? 'nobody';
  const issuer = { name: subject, key: pair.privateKey };
  return withKey(
    certificate({ subject, publicKey: pair.publicKey, issuer, ca: false, names, from: -1, to: 365 }),
    pair.privateKey,
  );
}

/** `3 1 1 …`, as it stands in DNS. */
export function tlsaOf(usage: number, { der }: TestCertificate): string {
  return `${usage} 0 1 ${createHash('sha256').update(der).digest('hex')}`;
}

function withKey(der: Buffer, key: KeyObject): TestCertificate {
  const exported = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert: pem('CERTIFICATE', der), key: exported, der };
}

function certificate(options: {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly ca: boolean;
  readonly names: readonly string[];
  readonly from: number;
  readonly to: number;
}): Buffer {
  const { subject, publicKey, issuer, ca, names, from, to } = options;
  const named = (name: string) => sequence(set(sequence(objectId(COMMON_NAME), text(name))));
  const day = (offset: number) => time(new Date(Date.now() + offset * DAY_MS));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const alternatives = names.map((name) => tagged(0x82, Buffer.from(name, 'latin1')));
  const extensions = sequence(
    ...(names.length === 0 ? [] : [sequence(objectId(SUBJECT_ALT_NAME), octets(sequence(...alternatives)))]),
    sequence(objectId(BASIC_CONSTRAINTS), TRUE, octets(sequence(...(ca ? [TRUE] : [])))),
  );
  const serial = createHash('sha256').update(spki).digest().subarray(0, 16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    named(issuer.name),
    sequence(day(from), day(to)),
    named(subject),
    spki,
    tagged(0xa3, extensions),
  );
  return sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, issuer.key)));
}
