// A chain of certificates against TLSA records (RFC 6698, as RFC 7672 has it for SMTP). DANE-EE(3): the leaf is the one that
// was published, whatever its names and dates say. DANE-TA(2): the chain leads to what was published, and names and dates
// must be right. The links are checked one by one here: OpenSSL's own check needs its trust anchors before the handshake.
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TlsaRecord, TlsFlaw } from '#/domain/delivery/tls.ts';
import { elementsOf } from '../der.ts';

export interface Flaw {
  readonly flaw: TlsFlaw;
  readonly reason: string;
}

/** Null: it is the peer that the records speak of. `chain` begins with the leaf. */
export function daneFlaw(
  chain: readonly X509Certificate[],
  host: string,
  records: readonly TlsaRecord[],
  now: Date,
): Flaw | null {
  const [leaf] = chain;
  if (leaf === undefined) return { flaw: 'validation-failure', reason: 'the peer showed no certificate' };
  if (records.some((record) => record.usage === 3 && matches(leaf, record))) return null;
  const anchors = records.filter(({ usage }) => usage === 2);
  const length = anchoredLength(chain, anchors);
  if (length === null) return { flaw: 'validation-failure', reason: 'the certificate matches no TLSA record' };
  const late = chain.slice(0, length).find((certificate) => !isCurrent(certificate, now));
  if (late !== undefined)
    return { flaw: 'certificate-expired', reason: 'a certificate under the TLSA record has expired' };
  if (leaf.checkHost(host, { subject: 'never' }) !== undefined) return null;
  return { flaw: 'certificate-host-mismatch', reason: `the certificate is not for ${host}` };
}

/** How many certificates, from the leaf on, lie on the way to a published anchor; null: the chain leads to none. */
function anchoredLength(chain: readonly X509Certificate[], anchors: readonly TlsaRecord[]): number | null {
  for (const [index, certificate] of chain.entries()) {
    if (index > 0 && anchors.some((record) => matches(certificate, record))) return index + 1;
    // An anchor that the peer leaves out may stand in DNS as a whole.
    if (anchors.some((record) => isIssuedByPublished(certificate, record))) return index + 1;
    const issuer = chain[index + 1];
    if (
      issuer === undefined ||
      !issuer.ca ||
      !certificate.checkIssued(issuer) ||
      !verifies(certificate, issuer.publicKey)
    )
      return null;
  }
  return null;
}

function matches(certificate: X509Certificate, { selector, matchingType, data }: TlsaRecord): boolean {
  const selected = selector === 0 ? certificate.raw : publicKeyInfo(certificate.raw);
  if (selected === null) return false;
  if (matchingType === 0) return selected.equals(data);
  return createHash(matchingType === 1 ? 'sha256' : 'sha512')
    .update(selected)
    .digest()
    .equals(data);
}

function isIssuedByPublished(certificate: X509Certificate, { selector, matchingType, data }: TlsaRecord): boolean {
  if (matchingType !== 0) return false;
  try {
    if (selector === 1) return verifies(certificate, createPublicKey({ key: data, format: 'der', type: 'spki' }));
    const issuer = new X509Certificate(data);
    return issuer.ca && certificate.checkIssued(issuer) && verifies(certificate, issuer.publicKey);
  } catch {
    return false;
  }
}

function verifies(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.verify(key);
  } catch {
    return false;
  }
}

function isCurrent(certificate: X509Certificate, now: Date): boolean {
  return certificate.validFromDate <= now && now <= certificate.validToDate;
}

/** SubjectPublicKeyInfo as it stands in the certificate: node would write it anew, and perhaps otherwise. */
export function publicKeyInfo(certificate: Buffer): Buffer | null {
  const body = elementsOf(certificate)?.[0];
  const fields = body === undefined ? null : elementsOf(body);
  // RFC 5280 §4.1: the version stands first where there is one, as [0].
  return fields?.[fields[0]?.[0] === 0xa0 ? 6 : 5] ?? null;
}
