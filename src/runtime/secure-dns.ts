// Lookups for DANE: node's resolver does not tell whether an answer is secure, so these go out in packets of our own
// (dns-query.ts). The AD bit of the answer is taken at its word: whoever turns this on says that the resolver validates and
// that nobody stands between (VEREDUS_DNSSEC).
import type { Answer } from 'dns-packet';
import { createQuery, isEncodable } from './dns-query.ts';
import type { SecureAnswer, SecureDns } from './ports.ts';

const TRY_MS = 1_500;
const TRIES = 2;
/** As runtime/dns.ts has it. */
const TTL = { floor: 30_000, ceiling: 3_600_000, unknown: 300_000 } as const;

export interface SecureDnsOptions {
  /** As `createDns` takes them. */
  readonly servers?: readonly string[];
  /** Of one try. */
  readonly timeoutMs?: number;
}

export function createSecureDns(options: SecureDnsOptions = {}): SecureDns {
  const { servers = [], timeoutMs = TRY_MS } = options;
  const ask = createQuery({ servers, timeoutMs, tries: TRIES, secure: true });

  const lookUp = async <T>(name: string, type: string, read: (answer: Answer) => T[]): Promise<SecureAnswer<T>> => {
    if (!isEncodable(name)) return { kind: 'failed', reason: 'not a name' };
    const response = await ask(name, type);
    if (typeof response === 'string') return { kind: 'failed', reason: response };
    const secure = response.flag_ad;
    const records = response.answers.flatMap((answer) => (answer.type === type ? read(answer) : []));
    if (records.length === 0) return { kind: 'none', secure, ttl: TTL.unknown };
    // Behind a CNAME the shortest-lived link counts.
    const ttl = Math.min(...response.answers.map((answer) => answer.ttl)) * 1_000;
    return { kind: 'records', records, secure, ttl: Math.min(Math.max(ttl, TTL.floor), TTL.ceiling) };
  };

  return {
    tlsa: (name) =>
      lookUp(name, 'TLSA', (answer) => {
        if (answer.type !== 'TLSA') return [];
        const { usage, selector, matchingType, certificate } = answer.data;
        return [{ usage, selector, matchingType, data: Buffer.from(certificate) }];
      }),
    probe: (name, type) => lookUp(name, type, () => [null]),
  };
}
