// What a connection must be before mail may go over it: what the stream asks, and what the recipient's domain has published.
// Pure. Connections are shared only by mail with the same plan (`key`), so that one domain's policy never fails, nor lends
// its trust to, the mail of another one at the same mail exchangers.
import type { TlsaRecord, TlsFlaw, TlsPolicy } from '#/domain/delivery/tls.ts';
import { matchesMx } from '#/mail/mta-sts/policy.ts';
import type { SmtpConnectOptions } from '#/runtime/ports.ts';
import type { DaneAnswer } from './dane.ts';
import type { DomainPolicy } from './mta-sts.ts';

/** What the domain of a recipient has published. */
export interface DomainSecurity {
  readonly domain: string;
  readonly sts: DomainPolicy;
  /** DNSSEC vouches for its mail exchangers: their TLSA records count. */
  readonly dane: boolean;
}

export interface TlsPlan {
  /** Empty where nothing is demanded. */
  readonly key: string;
  readonly requireTls: boolean;
  readonly dane: boolean;
  /** The patterns of a policy that is enforced. */
  readonly mx: readonly string[] | null;
  /** False: told to nobody. Reports go that way, and one for each report would never end. */
  readonly counted: boolean;
}

const NOTHING: TlsPlan = { key: '', requireTls: false, dane: false, mx: null, counted: true };
const PREFERRED: TlsPlan = { ...NOTHING, counted: false };
const REQUIRED: TlsPlan = { key: 'required', requireTls: true, dane: false, mx: null, counted: true };

export function planOf(security: DomainSecurity | null, stream: TlsPolicy): TlsPlan {
  if (stream === 'PREFER_DELIVERY') return PREFERRED;
  const requireTls = stream === 'REQUIRE_TLS';
  const dane = security?.dane ?? false;
  const policy = security?.sts.policy ?? null;
  const mx = policy?.mode === 'enforce' ? policy.mx : null;
  if (!dane && mx === null) return requireTls ? REQUIRED : NOTHING;
  const parts = [requireTls ? 'required' : '', dane ? 'dane' : '', mx === null ? '' : `sts:${mx.toSorted().join(',')}`];
  return { key: parts.filter((part) => part !== '').join('+'), requireTls, dane, mx, counted: true };
}

/** In whose name a connection must be encrypted. */
export type Standing = 'DANE' | 'MTA-STS enforce' | 'REQUIRE_TLS';

export type HostRule =
  | {
      readonly kind: 'dial';
      /** Null: nothing is demanded. */
      readonly standing: Standing | null;
      readonly options: Pick<SmtpConnectOptions, 'tls' | 'verifyCertificate' | 'tlsa'>;
    }
  /** Not this host, not now. */
  | { readonly kind: 'skip'; readonly standing: Standing; readonly flaw: TlsFlaw; readonly reason: string };

type Usual = Pick<SmtpConnectOptions, 'tls' | 'verifyCertificate'>;

/** `usual`: as the route has it. Usable TLSA records count more than MTA-STS (RFC 8461 §2), and both more than the usual. */
export function ruleFor(plan: TlsPlan, host: string, dane: DaneAnswer, usual: Usual): HostRule {
  if (dane.kind === 'failed') {
    return { kind: 'skip', standing: 'DANE', flaw: 'dnssec-invalid', reason: `${host} is not used: ${dane.reason}` };
  }
  const { verifyCertificate } = usual;
  const tls = usual.tls === 'implicit' ? 'implicit' : 'required';
  if (dane.kind === 'usable') return { kind: 'dial', standing: 'DANE', options: withRecords(tls, dane.records) };
  if (plan.mx !== null && !matchesMx(host, plan.mx)) {
    const reason = `${host} is not among the mail exchangers of the domain's MTA-STS policy`;
    return { kind: 'skip', standing: 'MTA-STS enforce', flaw: 'validation-failure', reason };
  }
  const verified = { tls, verifyCertificate: true } as const;
  if (plan.mx !== null) return { kind: 'dial', standing: 'MTA-STS enforce', options: verified };
  if (plan.requireTls) return { kind: 'dial', standing: 'REQUIRE_TLS', options: verified };
  // RFC 7672 §2.2: it is said that there is TLS, and not by what to know the peer.
  if (dane.kind === 'unusable') return { kind: 'dial', standing: 'DANE', options: { tls, verifyCertificate } };
  return { kind: 'dial', standing: null, options: { tls: usual.tls, verifyCertificate } };
}

function withRecords(tls: 'implicit' | 'required', tlsa: readonly TlsaRecord[]) {
  return { tls, verifyCertificate: false, tlsa } as const;
}
