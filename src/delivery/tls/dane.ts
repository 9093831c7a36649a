// DANE for SMTP (RFC 7672), where the operator's resolver validates. Nothing is asked for about hosts of a domain whose mail
// exchangers DNSSEC does not vouch for (§2.2.1): whoever could forge their names gains nothing by their keys; nor about a
// host whose addresses are not secure (§2.2.2), since name servers of unsigned zones stumble over TLSA.
import { isUsable, type TlsaRecord } from '#/domain/delivery/tls.ts';
import type { Clock, SecureAnswer, SecureDns } from '#/runtime/ports.ts';
import { BoundedCache, type Kept } from './bounded-cache.ts';
import { Turnstile } from './turnstile.ts';

const ENTRIES = 50_000;
const FAILED_MS = 15_000;
/** For all lookups about a host or a domain together: mail waits for them. */
const LIMIT_MS = 6_000;
/** As of mta-sts.ts. */
const LOOKUPS = { atOnce: 100, holdMs: 200 } as const;

export type DaneAnswer =
  | { readonly kind: 'none' }
  /** Some, of which none is understood: encrypted, whatever the certificate (§2.2). */
  | { readonly kind: 'unusable' }
  | { readonly kind: 'usable'; readonly records: readonly TlsaRecord[] }
  /** The host must not be used now: an attacker may be hiding its records (§2.1.2). */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Dane {
  /** Whether DNSSEC vouches for the domain's mail exchangers, or for there being none; null: nobody can tell now. */
  isSecure(domain: string): boolean | null | Promise<boolean | null>;
  recordsOf(host: string, port: number): DaneAnswer | Promise<DaneAnswer>;
}

export function createDane({ dns, clock }: { readonly dns: SecureDns; readonly clock: Clock }): Dane {
  const lookups = new Turnstile(clock, LOOKUPS);
  const within = async <T>(ask: () => Promise<SecureAnswer<T>>): Promise<SecureAnswer<T>> => {
    const late = new AbortController();
    const silence = clock
      .sleep(LIMIT_MS, late.signal)
      .then(() => ({ kind: 'failed', reason: `no answer within ${LIMIT_MS / 1_000} s` }) as const);
    const answer = await Promise.race([lookups.pass(ask), silence]);
    late.abort();
    return answer;
  };

  const domains = new BoundedCache(clock, ENTRIES, async (domain): Promise<Kept<boolean | null>> => {
    const answer = await within(() => dns.probe(domain, 'MX'));
    return answer.kind === 'failed'
      ? { answer: null, freshMs: FAILED_MS }
      : { answer: answer.secure, freshMs: answer.ttl };
  });

  const hosts = new BoundedCache(clock, ENTRIES, async (key): Promise<Kept<DaneAnswer>> => {
    const [host = '', port = ''] = key.split(' ');
    const addresses = await Promise.all([within(() => dns.probe(host, 'A')), within(() => dns.probe(host, 'AAAA'))]);
    const found = addresses.filter((answer) => answer.kind !== 'failed');
    // No word about addresses: they cannot be dialled either.
    if (found.length < addresses.length) return failed('its addresses could not be looked up securely');
    if (!found.every(({ secure }) => secure)) return { answer: { kind: 'none' }, freshMs: shortest(found) };
    return answerOf(await within(() => dns.tlsa(`_${port}._tcp.${host}`)));
  });

  return {
    isSecure: (domain) => domains.get(domain),
    recordsOf: (host, port) => hosts.get(`${host} ${port}`),
  };
}

function answerOf(answer: SecureAnswer<TlsaRecord>): Kept<DaneAnswer> {
  if (answer.kind === 'failed') return failed(`its TLSA records could not be looked up: ${answer.reason}`);
  if (answer.kind === 'none' || !answer.secure) return { answer: { kind: 'none' }, freshMs: answer.ttl };
  const records = answer.records.filter(isUsable);
  return { answer: records.length > 0 ? { kind: 'usable', records } : { kind: 'unusable' }, freshMs: answer.ttl };
}

const failed = (reason: string): Kept<DaneAnswer> => ({ answer: { kind: 'failed', reason }, freshMs: FAILED_MS });
const shortest = (answers: readonly { readonly ttl: number }[]) => Math.min(...answers.map(({ ttl }) => ttl));
