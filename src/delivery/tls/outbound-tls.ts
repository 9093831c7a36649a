// What delivery knows of TLS: asked about a domain when its route is, about a stream when its mail is sent, and told of each
// session, for reports.
import type { SystemScope } from '#/db/scope.ts';
import type { Channel, Clock, Dns, Log, PolicyFetcher, Random, SecureDns, SmtpSession } from '#/runtime/ports.ts';
import { BrokenTls } from './broken-tls.ts';
import { createDane, type Dane } from './dane.ts';
import { createMtaSts } from './mta-sts.ts';
import { outcomeOf, type TlsOutcome, type TlsUse } from './outcome.ts';
import { type DomainSecurity, planOf, type TlsPlan } from './plan.ts';
import { startSessionCounts } from './session-counts.ts';
import { createStreamPolicies } from './stream-policies.ts';

export interface OutboundTlsOptions {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly channel: Channel;
  readonly dns: Dns;
  readonly fetcher: PolicyFetcher;
  readonly random: Random;
  readonly log: Log;
  /** Null: the resolver does not validate, and there is no DANE. */
  readonly secureDns: SecureDns | null;
  /** Sessions are counted for domains that ask for reports. */
  readonly reports: boolean;
}

export interface OutboundTls extends AsyncDisposable {
  readonly dane: Dane | null;
  readonly broken: BrokenTls;
  /** Null: whether DNSSEC vouches for it cannot be told now, and mail must wait. */
  securityOf(domain: string): Promise<DomainSecurity | null>;
  planFor(
    mail: { readonly accountId: string; readonly streamId: string },
    security: DomainSecurity | null,
  ): Promise<TlsPlan>;
  /** Of a dial; `held` is its session, or its failure. */
  used(held: object, use: TlsUse): void;
  /** What came of it for mail to this domain; counts it. */
  outcome(
    held: object,
    plan: TlsPlan,
    security: DomainSecurity | null,
    session: Pick<SmtpSession, 'target' | 'check'> | null,
  ): TlsOutcome;
  /** Writes down what was counted; else it is done every half minute. */
  flushCounts(): Promise<void>;
}

export function createOutboundTls(options: OutboundTlsOptions): OutboundTls {
  const { clock, secureDns } = options;
  const dane = secureDns === null ? null : createDane({ dns: secureDns, clock });
  const sts = createMtaSts(options);
  const streams = createStreamPolicies(options);
  const counts = options.reports ? startSessionCounts(options) : null;
  const uses = new WeakMap<object, TlsUse>();
  return {
    dane,
    broken: new BrokenTls(clock),
    async securityOf(domain) {
      const [policy, secure] = await Promise.all([sts.policyOf(domain), dane?.isSecure(domain) ?? false]);
      return secure === null ? null : { domain, sts: policy, dane: secure };
    },
    planFor: async (mail, security) => planOf(security, await streams.of(mail)),
    used: (held, use) => void uses.set(held, use),
    outcome(held, plan, security, session) {
      const use = uses.get(held);
      if (use === undefined) return { tlsVerification: null, tlsPolicy: null };
      if (security !== null && plan.counted) counts?.note(held, security, session, use);
      return outcomeOf(security, session, use);
    },
    flushCounts: async () => counts?.flush(),
    async [Symbol.asyncDispose]() {
      await counts?.[Symbol.asyncDispose]();
    },
  };
}
