// What the certificate of a peer is worth: looked at after each handshake, also where nothing hangs on it, for what was
// used is told (and reported to domains that ask for it, RFC 8460).
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { TlsaRecord, TlsFlaw } from '#/domain/delivery/tls.ts';
import type { TlsCheck } from '../ports.ts';
import { daneFlaw, type Flaw } from './dane.ts';

/** Longer ones are not read to their end. */
const MAX_CHAIN = 10;

export interface Judgement {
  readonly check: TlsCheck;
  /** What is wrong, in words; null: nothing. */
  readonly reason: string | null;
}

/** `tlsa`: by these records alone; else by the roots that are trusted. */
export function judgeCertificate(socket: TLSSocket, host: string, tlsa: readonly TlsaRecord[] | undefined): Judgement {
  // OpenSSL judges dates by the machine's clock, so that is the one that counts here as well.
  const wrong = tlsa === undefined ? webFlaw(socket, host) : daneFlaw(chainOf(socket), host, tlsa, new Date());
  if (wrong !== null) return { check: { verifiedBy: null, flaw: wrong.flaw }, reason: wrong.reason };
  return { check: { verifiedBy: tlsa === undefined ? 'WEBPKI' : 'DANE', flaw: null }, reason: null };
}

function webFlaw(socket: TLSSocket, host: string): Flaw | null {
  if (socket.authorized) {
    // RFC 8461 §4.1: the name must be an alternative one; node also takes the common name of old certificates.
    const named =
      isIP(host) !== 0 || socket.getPeerX509Certificate()?.checkHost(host, { subject: 'never' }) !== undefined;
    return named ? null : { flaw: 'certificate-host-mismatch', reason: `the certificate is not for ${host}` };
  }
  // node's types say Error; it is a code of OpenSSL's or of node's.
  const code = String(socket.authorizationError);
  const flaw = flaws[code] ?? 'validation-failure';
  return { flaw, reason: reasons[flaw]?.(host) ?? `the certificate does not verify: ${code}` };
}

const flaws: Readonly<Record<string, TlsFlaw>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate-host-mismatch',
  CERT_HAS_EXPIRED: 'certificate-expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate-not-trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate-not-trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate-not-trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate-not-trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate-not-trusted',
  CERT_UNTRUSTED: 'certificate-not-trusted',
};

const reasons: Readonly<Partial<Record<TlsFlaw, (host: string) => string>>> = {
  'certificate-host-mismatch': (host) => `the certificate is not for ${host}`,
  'certificate-expired': (host) => `the certificate of ${host} has expired`,
  'certificate-not-trusted': (host) => `the certificate of ${host} is signed by nobody who is trusted`,
};

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(next.raw));
    // A root names itself as its issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}
