// MX and address lookups for delivery, with a bounded cache in front; and TXT and CNAME for the checks of domains, without
// it. On node's c-ares resolver (never the hosts file), but for MX, whose TTL that does not give (mx-lookup.ts).

import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { createQuery, type Query } from './dns-query.ts';
import { lookUpCname, lookUpTxt } from './dns-records.ts';
import { lookUpMx } from './mx-lookup.ts';
import type { AddressAnswer, Clock, Dns, MxAnswer } from './ports.ts';

const SECOND = 1_000;
/** Below the floor a TTL of 0 would make a lookup for every message; above the ceiling a moved host stays lost for long. */
const TTL_FLOOR = 30 * SECOND;
const TTL_CEILING = 3_600 * SECOND;
/** node does not give the TTL of answers that say no. */
const TTL_UNKNOWN = 300 * SECOND;
/** Long enough to spare a failing server, short enough to see it come back before the next attempt. */
const TTL_FAILED = 15 * SECOND;
/** An entry takes about half a kilobyte. */
const CACHE_ENTRIES = 50_000;
const TRY_TIMEOUT = 3 * SECOND;
const TRIES = 3;

export interface DnsOptions {
  /** `host:port` or `host`; the system's own where none is given. */
  readonly servers?: readonly string[];
  /** Of the first try; c-ares tries three times and waits longer each time. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly cacheEntries?: number;
}

interface Timed<T> {
  readonly answer: T;
  readonly ttl: number;
}

export function createDns(options: DnsOptions): Dns {
  const timeout = options.timeoutMs ?? TRY_TIMEOUT;
  const resolver = new Resolver({ timeout, tries: TRIES, maxTimeout: timeout * 2 });
  if (options.servers !== undefined && options.servers.length > 0) resolver.setServers([...options.servers]);
  const query = createQuery({ servers: options.servers ?? [], timeoutMs: timeout, tries: TRIES, secure: false });
  const entries = options.cacheEntries ?? CACHE_ENTRIES;
  const mx = new Cache<MxAnswer>(options.clock, entries, (domain) => timedMx(query, domain));
  const addresses = new Cache<AddressAnswer>(options.clock, entries, (host) => lookUpAddresses(resolver, host));
  return {
    async mx(domain) {
      return isName(domain) ? mx.get(domain.toLowerCase()) : { kind: 'no-such-domain' };
    },
    async addresses(host) {
      if (isIP(host) !== 0) return { kind: 'addresses', addresses: [host] };
      return isName(host) ? addresses.get(host.toLowerCase()) : { kind: 'none' };
    },
    async txt(name, options) {
      return isName(name)
        ? lookUpTxt(resolver, name, options?.inOneQuery === true ? 0 : undefined)
        : { kind: 'no-such-name' };
    },
    async cname(name) {
      return isName(name) ? lookUpCname(resolver, name) : { kind: 'no-such-name' };
    },
  };
}

/** c-ares reads a name up to its first NUL, and so would ask about another name than the one that was judged. */
function isName(text: string): boolean {
  return text.length <= 254 && /^[\x21-\x7e]+$/.test(text);
}

async function timedMx(query: Query, domain: string): Promise<Timed<MxAnswer>> {
  const { answer, ttl } = await lookUpMx(query, domain);
  if (answer.kind === 'failed') return { answer, ttl: TTL_FAILED };
  return { answer, ttl: ttl === null ? TTL_UNKNOWN : bounded(ttl) };
}

const bounded = (ttl: number) => Math.min(Math.max(ttl * SECOND, TTL_FLOOR), TTL_CEILING);

interface Family {
  readonly found: readonly { readonly address: string; readonly ttl: number }[];
  readonly failure: string | null;
}

async function lookUpAddresses(resolver: Resolver, host: string): Promise<Timed<AddressAnswer>> {
  const [six, four] = await Promise.all([
    family(() => resolver.resolve6(host, { ttl: true })),
    family(() => resolver.resolve4(host, { ttl: true })),
  ]);
  const found = [...six.found, ...four.found];
  const failure = six.failure ?? four.failure;
  if (found.length === 0) {
    return failure === null
      ? { answer: { kind: 'none' }, ttl: TTL_UNKNOWN }
      : { answer: { kind: 'failed', reason: failure }, ttl: TTL_FAILED };
  }
  const answer = { kind: 'addresses', addresses: found.map(({ address }) => address) } as const;
  // One family found, the other unknown: good to use, but soon to be asked again.
  if (failure !== null) return { answer, ttl: TTL_FAILED };
  return { answer, ttl: bounded(Math.min(...found.map((record) => record.ttl))) };
}

async function family(lookUp: () => Promise<Family['found']>): Promise<Family> {
  try {
    return { found: await lookUp(), failure: null };
  } catch (error) {
    const code = codeOf(error);
    const says = code === 'ENODATA' || code === 'ENOTFOUND' || code === 'EBADNAME';
    return { found: [], failure: says ? null : code };
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/** A name is asked once, however many wait for it; the oldest entry goes when there are too many. */
class Cache<T> {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #lookUp: (name: string) => Promise<Timed<T>>;
  readonly #known = new Map<string, { readonly answer: T; readonly until: number }>();
  readonly #inFlight = new Map<string, Promise<T>>();

  constructor(clock: Clock, limit: number, lookUp: (name: string) => Promise<Timed<T>>) {
    this.#clock = clock;
    this.#limit = limit;
    this.#lookUp = lookUp;
  }

  get(name: string): T | Promise<T> {
    const known = this.#known.get(name);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.answer;
    const asked = this.#inFlight.get(name);
    if (asked !== undefined) return asked;
    const asking = this.#ask(name).finally(() => this.#inFlight.delete(name));
    this.#inFlight.set(name, asking);
    return asking;
  }

  async #ask(name: string): Promise<T> {
    const { answer, ttl } = await this.#lookUp(name);
    // Deleted first, so that a renewed entry counts as young: a Map keeps the order of insertion.
    this.#known.delete(name);
    this.#known.set(name, { answer, until: this.#clock.monotonic() + ttl });
    if (this.#known.size > this.#limit) {
      const oldest = this.#known.keys().next();
      if (oldest.done !== true) this.#known.delete(oldest.value);
    }
    return answer;
  }
}
