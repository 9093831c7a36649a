// The words of TLS towards receivers: what a stream asks for, how a peer was verified, and what can be wrong.

export const tlsPolicies = ['OPPORTUNISTIC', 'REQUIRE_TLS', 'PREFER_DELIVERY'] as const;
export type TlsPolicy = (typeof tlsPolicies)[number];

/** By what the peer of an encrypted connection was known to be the right one. */
export const tlsVerifications = ['NONE', 'WEBPKI', 'MTA_STS', 'DANE'] as const;
export type TlsVerification = (typeof tlsVerifications)[number];

/** The policy types of reports, RFC 8460 §4.4. */
export type TlsPolicyType = 'sts' | 'tlsa' | 'no-policy-found';

/** The result types of RFC 8460 §4.3. */
export const tlsFlaws = [
  'starttls-not-supported',
  'certificate-host-mismatch',
  'certificate-expired',
  'certificate-not-trusted',
  'validation-failure',
  'tlsa-invalid',
  'dnssec-invalid',
  'sts-policy-fetch-error',
  'sts-policy-invalid',
  'sts-webpki-invalid',
] as const;
export type TlsFlaw = (typeof tlsFlaws)[number];

/** A TLSA record, RFC 6698 §2.1. */
export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly data: Buffer;
}

const DIGEST_BYTES: Readonly<Record<number, number>> = { 1: 32, 2: 64 };

/** RFC 7672 §3.1.3: PKIX-TA(0) and PKIX-EE(1) are not for SMTP; RFC 7671 §4.1: what is not understood is passed over. */
export function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if ((usage !== 2 && usage !== 3) || selector > 1 || matchingType > 2) return false;
  return matchingType === 0 ? data.length > 0 : data.length === DIGEST_BYTES[matchingType];
}
