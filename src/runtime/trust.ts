// Whom this program trusts when it calls somebody under TLS: the usual roots, and those of the operator (VEREDUS_CA_FILE).
import { readFileSync } from 'node:fs';
import { createSecureContext, DEFAULT_CIPHERS, getCACertificates, type SecureContext } from 'node:tls';

export interface Trust {
  /** Where the certificate counts: TLS 1.2 and later. */
  readonly strict: SecureContext;
  /**
   * Where plain text is the other choice (RFC 7435): what is weak still keeps out whoever only listens. Peers that can
   * do better do: the downgrade from one version to another is noticed by TLS itself.
   */
  readonly lenient: SecureContext;
}

/** Made when first asked for, and then shared: each context loads all roots, some milliseconds of work. */
export function createTrust(extraRoots: string | null = null): Trust {
  const roots = extraRoots === null ? {} : { ca: [...getCACertificates('default'), extraRoots] };
  let strict: SecureContext | null = null;
  let lenient: SecureContext | null = null;
  return {
    get strict() {
      return (strict ??= createSecureContext({ ...roots, minVersion: 'TLSv1.2' }));
    },
    get lenient() {
      return (lenient ??= createSecureContext({
        ...roots,
        minVersion: 'TLSv1',
        ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0`,
      }));
    },
  };
}

export const usualTrust: Trust = createTrust();

/** Of a PEM file; null: the usual roots. */
export function readTrust(path: string | null): Trust {
  return path === null ? usualTrust : createTrust(readFileSync(path, 'utf8'));
}
