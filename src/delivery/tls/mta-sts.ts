// The MTA-STS policy of a recipient's domain (RFC 8461). In memory for minutes, in the database for as long as it says:
//
//   TXT says no, or nothing                   the kept policy, until it expires; else none
//   the id is the kept one's                  the kept policy; fetched anew once a day, long before it expires
//   another id, or none is kept               fetched, and kept; where that fails, the kept one, else none
//
// So neither a silent DNS nor a broken policy host takes away what was promised before. What a domain without policy costs
// is one TXT lookup each NONE_MS, and one row looked for in the database.
import { createBatcher } from '#/db/batcher.ts';
import { findMtaStsPolicies, keepMtaStsPolicy, type MtaStsPolicyRow } from '#/db/mta-sts-policies.ts';
import { type SystemScope, writeStatement } from '#/db/scope.ts';
import type { TlsFlaw } from '#/domain/delivery/tls.ts';
import { readStsPolicy, type StsMode } from '#/mail/mta-sts/policy.ts';
import { readStsRecord } from '#/mail/mta-sts/record.ts';
import type { Clock, Dns, Log, PolicyFetcher } from '#/runtime/ports.ts';
import { BoundedCache, type Kept } from './bounded-cache.ts';
import { Turnstile } from './turnstile.ts';

const MINUTE = 60_000;
/** How soon a new policy, or a new id, is noticed; the records' own time to live is not known, and seldom longer. */
const FOUND_MS = 10 * MINUTE;
const NONE_MS = 15 * MINUTE;
/** RFC 8461 §3.3: no more often than each five minutes. */
const FAILED_MS = 5 * MINUTE;
/** RFC 8461 §10.2: against somebody who blocks the policy host until the kept policy expires. */
const REFETCH_MS = 24 * 60 * MINUTE;
/** Mail to this domain waits for it, and no other: without an answer it goes on with what is kept. */
const TXT_MS = 5_000;
/** The kernel holds about 250 small packets for a resolver that is busy. */
const LOOKUPS = { atOnce: 100, holdMs: 200 } as const;
/** Each is a handshake, some milliseconds of work here. */
const FETCHES = { atOnce: 50, holdMs: 500 } as const;
/** An entry takes about a quarter of a kilobyte. */
const DOMAINS = 50_000;
const BATCH = 500;

export interface DomainPolicy {
  /** Null: none. */
  readonly policy: {
    readonly id: string;
    readonly mode: StsMode;
    readonly mx: readonly string[];
    readonly maxAge: number;
  } | null;
  /** Why a policy that the domain says it has is not known, or not the newest; null: nothing is wrong. */
  readonly flaw: TlsFlaw | null;
}

export interface MtaSts {
  /** `domain` in A-labels. At once where it is known. Rejects when the database does not answer. */
  policyOf(domain: string): DomainPolicy | Promise<DomainPolicy>;
}

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly dns: Pick<Dns, 'txt'>;
  readonly fetcher: PolicyFetcher;
  readonly log: Log;
}

export function createMtaSts(deps: Deps): MtaSts {
  const { system, clock } = deps;
  const lookups = new Turnstile(clock, LOOKUPS);
  const fetches = new Turnstile(clock, FETCHES);
  const kept = createBatcher<string, MtaStsPolicyRow | null>(BATCH, async (domains) => {
    const found = await findMtaStsPolicies(system, domains, clock.now());
    return domains.map((domain) => found.get(domain) ?? null);
  });

  /** Undefined: DNS did not say. */
  const ask = async (domain: string): Promise<string | null | undefined> => {
    const late = new AbortController();
    const answer = await Promise.race([
      deps.dns.txt(`_mta-sts.${domain}`, { inOneQuery: true }),
      clock.sleep(TXT_MS, late.signal).then(() => ({ kind: 'failed' }) as const),
    ]);
    late.abort();
    if (answer.kind === 'failed') return undefined;
    return answer.kind === 'texts' ? readStsRecord(answer.texts) : null;
  };

  const idOf = (domain: string) => lookups.pass(() => ask(domain));

  const fetch = async (domain: string, id: string): Promise<MtaStsPolicyRow | TlsFlaw> => {
    const answer = await fetches.pass(() => deps.fetcher.fetch(domain));
    const policy = answer.kind === 'text' ? readStsPolicy(answer.text) : null;
    if (policy === null) {
      const flaw = answer.kind === 'text' ? 'sts-policy-invalid' : answer.flaw;
      const reason = answer.kind === 'text' ? 'the policy is not as RFC 8461 has it' : answer.reason;
      deps.log.info({ domain, flaw, reason }, 'an MTA-STS policy could not be had');
      return flaw;
    }
    const now = clock.now();
    const row: MtaStsPolicyRow = {
      domain,
      policyId: id,
      mode: policy.mode,
      mx: [...policy.mx],
      maxAge: policy.maxAge,
      fetchedAt: now,
      expiresAt: new Date(now.getTime() + policy.maxAge * 1_000),
    };
    await writeStatement(system, now, (scope) => keepMtaStsPolicy(scope, row));
    return row;
  };

  const lookUp = async (domain: string): Promise<Kept<DomainPolicy>> => {
    const [id, known] = await Promise.all([idOf(domain), kept.add(domain)]);
    const now = clock.now().getTime();
    if (id === undefined) return answerOf(known, null, FAILED_MS, now);
    if (id === null) return answerOf(known, null, known === null ? NONE_MS : FOUND_MS, now);
    if (known !== null && known.policyId === id && !isDueAgain(known, now)) return answerOf(known, null, FOUND_MS, now);
    const fetched = await fetch(domain, id);
    return typeof fetched === 'string'
      ? answerOf(known, fetched, FAILED_MS, now)
      : answerOf(fetched, null, FOUND_MS, now);
  };

  const cache = new BoundedCache(clock, DOMAINS, lookUp);
  return { policyOf: (domain) => cache.get(domain) };
}

function isDueAgain({ fetchedAt, maxAge }: MtaStsPolicyRow, now: number): boolean {
  return now - fetchedAt.getTime() >= Math.min(REFETCH_MS, (maxAge * 1_000) / 2);
}

/** A policy is never used past its time, and until then it is used while its successor is asked for. */
function answerOf(row: MtaStsPolicyRow | null, flaw: TlsFlaw | null, freshMs: number, now: number): Kept<DomainPolicy> {
  if (row === null) return { answer: { policy: null, flaw }, freshMs };
  const { policyId: id, mode, mx, maxAge } = row;
  const left = Math.max(0, row.expiresAt.getTime() - now);
  const fresh = Math.min(freshMs, left);
  return { answer: { policy: { id, mode, mx, maxAge }, flaw }, freshMs: fresh, usableMs: left - fresh };
}
