// What TLS came to on an attempt: for the attempt itself, and for the reports of the recipient's domain. Pure.
import type { TlsaRecord, TlsFlaw, TlsPolicyType, TlsVerification } from '#/domain/delivery/tls.ts';
import { matchesMx } from '#/mail/mta-sts/policy.ts';
import type { SmtpSession, TlsCheck } from '#/runtime/ports.ts';
import type { DomainSecurity, Standing } from './plan.ts';

/** A host that could not be used because of TLS. */
export interface TlsFailure {
  readonly standing: Standing | null;
  readonly flaw: TlsFlaw;
  readonly host: string;
  /** Null: it was not dialled. */
  readonly address: string | null;
  /** The records that were not met. */
  readonly tlsa: readonly TlsaRecord[];
}

/** How a session came about, or why none did. */
export interface TlsUse {
  readonly standing: Standing | null;
  readonly tlsa: readonly TlsaRecord[];
  /** Of a session in plain text: why it is not encrypted. */
  readonly flaw: TlsFlaw | null;
  /** In the order in which hosts were tried. */
  readonly failures: readonly TlsFailure[];
}

export interface TlsOutcome {
  readonly tlsVerification: TlsVerification | null;
  readonly tlsPolicy: string | null;
}

type Peer = Pick<SmtpSession, 'target' | 'check'>;

/** For the attempt. `session` null: there was none. */
export function outcomeOf(security: DomainSecurity | null, session: Peer | null, use: TlsUse): TlsOutcome {
  if (session === null) {
    const last = use.failures.at(-1);
    if (last === undefined) return { tlsVerification: null, tlsPolicy: null };
    return { tlsVerification: null, tlsPolicy: last.standing === null ? null : `${last.standing}: ${last.flaw}` };
  }
  const tlsVerification = verificationOf(session.check, use.standing);
  if (use.standing !== null) return { tlsVerification, tlsPolicy: use.standing };
  if (security?.sts.policy?.mode !== 'testing') return { tlsVerification, tlsPolicy: null };
  const flaw = testingFlaw(security, session, use);
  return { tlsVerification, tlsPolicy: `MTA-STS testing${flaw === null ? '' : `: ${flaw}`}` };
}

function verificationOf(check: TlsCheck | null, standing: Standing | null): TlsVerification | null {
  if (check === null) return null;
  if (check.verifiedBy === null) return 'NONE';
  return check.verifiedBy === 'WEBPKI' && standing === 'MTA-STS enforce' ? 'MTA_STS' : check.verifiedBy;
}

/** What would have kept the mail back, had the policy been enforced; null: nothing. */
function testingFlaw({ sts }: DomainSecurity, { target, check }: Peer, use: TlsUse): TlsFlaw | null {
  if (!matchesMx(target.host, sts.policy?.mx ?? [])) return 'validation-failure';
  return check === null ? (use.flaw ?? 'starttls-not-supported') : check.flaw;
}

/** One session, or one that did not come about, under one policy (RFC 8460 §4). */
export interface CountedSession {
  readonly policyType: TlsPolicyType;
  readonly policy: readonly string[];
  /** Null: it was as the policy wants it. */
  readonly failure: { readonly flaw: TlsFlaw; readonly host: string; readonly address: string } | null;
}

export function countedSessions(security: DomainSecurity, session: Peer | null, use: TlsUse): CountedSession[] {
  // What our own customer demands is not the domain's to answer for.
  const failures = use.failures.filter(({ standing }) => standing !== 'REQUIRE_TLS' || security.sts.policy !== null);
  const counted = failures.map(({ standing, flaw, host, address, tlsa }): CountedSession => {
    return { ...policyOf(security, standing, tlsa), failure: { flaw, host, address: address ?? '' } };
  });
  // The policy that the domain says it has, and which could not be read: it was not kept.
  if (security.sts.flaw !== null) {
    const { policyType, policy } = policyOf(security, 'MTA-STS enforce', []);
    counted.push({ policyType, policy, failure: { flaw: security.sts.flaw, host: '', address: '' } });
  }
  if (session === null) return counted;
  const { host, address } = session.target;
  const flaw = sessionFlaw(security, session, use);
  counted.push({
    ...policyOf(security, use.standing, use.tlsa),
    failure: flaw === null ? null : { flaw, host, address },
  });
  return counted;
}

function sessionFlaw(security: DomainSecurity, session: Peer, use: TlsUse): TlsFlaw | null {
  if (use.standing === 'DANE') return use.tlsa.length > 0 ? null : 'tlsa-invalid';
  if (use.standing === 'MTA-STS enforce') return null;
  if (!['none', undefined].includes(security.sts.policy?.mode)) return testingFlaw(security, session, use);
  return session.check === null ? (use.flaw ?? 'starttls-not-supported') : null;
}

/** The lines of the policy as RFC 8460 §4.4 wants them. */
function policyOf(
  { sts }: DomainSecurity,
  standing: Standing | null,
  tlsa: readonly TlsaRecord[],
): Pick<CountedSession, 'policyType' | 'policy'> {
  if (standing === 'DANE') {
    const texts = tlsa.map(({ usage, selector, matchingType, data }) =>
      [usage, selector, matchingType, data.toString('hex')].join(' '),
    );
    return { policyType: 'tlsa', policy: texts };
  }
  const { policy } = sts;
  if (policy === null || policy.mode === 'none')
    return { policyType: sts.flaw !== null && standing === 'MTA-STS enforce' ? 'sts' : 'no-policy-found', policy: [] };
  const lines = [
    'version: STSv1',
    `mode: ${policy.mode}`,
    ...policy.mx.map((mx) => `mx: ${mx}`),
    `max_age: ${policy.maxAge}`,
  ];
  return { policyType: 'sts', policy: lines };
}
