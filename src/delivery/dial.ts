// From a destination to an open session: its hosts in order, each host's addresses in order, from the addresses of its
// source, TLS as the plan demands it.
import { siteOf } from '#/domain/delivery/sites.ts';
import type { TlsaRecord, TlsFlaw } from '#/domain/delivery/tls.ts';
import type { Dns, Random, SmtpClient, SmtpConnectOptions, SmtpConnectResult, SmtpTarget } from '#/runtime/ports.ts';
import type { Families } from './families.ts';
import type { OwnNames } from './own-names.ts';
import { type Destination, inTurn, type RouteSettings, targetsOf } from './route.ts';
import type { BrokenTls } from './tls/broken-tls.ts';
import type { Dane } from './tls/dane.ts';
import type { TlsFailure, TlsUse } from './tls/outcome.ts';
import { type HostRule, ruleFor, type TlsPlan } from './tls/plan.ts';
import type { SendingSource } from './way.ts';

export interface DialDeps {
  readonly settings: RouteSettings;
  readonly smtp: SmtpClient;
  readonly dns: Dns;
  /** Null: the resolver does not validate. */
  readonly dane: Dane | null;
  readonly broken: BrokenTls;
  readonly families: Families;
  readonly ownNames: OwnNames;
  readonly random: Random;
  /** Told of what came of a dial, unless there was nothing to dial. */
  dialled(destination: Destination, result: SmtpConnectResult): void;
}

export interface Dialled {
  readonly result: SmtpConnectResult;
  readonly use: TlsUse;
}

type Failed = Extract<SmtpConnectResult, { ok: false }>;

/** Hosts in order, each host's addresses in order, until one greets. The last failure speaks for all. */
export async function dial(
  deps: DialDeps,
  destination: Destination,
  plan: TlsPlan,
  signal: AbortSignal,
): Promise<Dialled> {
  const { families } = deps;
  const { source } = destination;
  const failures: TlsFailure[] = [];
  const tried: SmtpTarget[] = [];
  let last: Failed = failed('no host could be tried');
  for (const host of inTurn(destination.tiers, () => deps.random.uniform())) {
    const rule = await ruleOf(deps, destination, plan, host);
    if (rule.kind === 'skip') {
      last = { ...failed(rule.reason), flaw: rule.flaw };
      failures.push({ standing: rule.standing, flaw: rule.flaw, host, address: null, tlsa: [] });
      continue;
    }
    const { standing, options } = rule;
    const tlsa = options.tlsa ?? [];
    const { targets, reason } = await targetsOf(host, destination, deps.settings, deps.dns);
    if (reason !== null) last = failed(reason);
    const usable = families.usable(source, await deps.ownNames.callable(source, targets));
    if (usable.length === 0 && targets.length > 0)
      last = failed(`${host} has no address of a family that ${source.key} has`);
    for (const target of usable) {
      const { result, plain } = await call(deps, destination, target, rule, signal);
      if (signal.aborted) return { result, use: { standing, tlsa, flaw: plain, failures } };
      if (result.ok) {
        families.worked(source, target, tried);
        deps.dialled(destination, result);
        return { result, use: { standing, tlsa, flaw: plain, failures } };
      }
      if (result.phase === 'connect') {
        families.failed(source, target, result.failure);
        tried.push(target);
      }
      last = { ...(standing === null ? result : inTheNameOf(standing, result)), target };
      if (result.flaw !== null) failures.push(failureOf(standing, result.flaw, target, tlsa));
      if (isWordOfAll(result) && siteOf(destination.hosts).provider !== null) {
        deps.dialled(destination, last);
        return { result: last, use: { standing: null, tlsa: [], flaw: null, failures } };
      }
    }
  }
  if (tried.length > 0 || last.phase !== 'connect') deps.dialled(destination, last);
  return { result: last, use: { standing: null, tlsa: [], flaw: null, failures } };
}

/**
 * Of a provider that is known: what one of its hosts says of us, all of them say, and to ask them in turn looks like abuse.
 * The hosts of others are tried, for one of them may be busy alone.
 */
function isWordOfAll({ reply, phase }: Failed): boolean {
  return reply !== null && (phase === 'greeting' || phase === 'ehlo');
}

async function ruleOf(deps: DialDeps, destination: Destination, plan: TlsPlan, host: string): Promise<HostRule> {
  const dane =
    plan.dane && deps.dane !== null ? await deps.dane.recordsOf(host, destination.port) : { kind: 'none' as const };
  return ruleFor(plan, host, dane, destination);
}

/** `plain`: why a session that might have been encrypted is not. */
async function call(
  deps: DialDeps,
  { auth, source }: Destination,
  target: SmtpTarget,
  { standing, options: tlsOptions }: Extract<HostRule, { kind: 'dial' }>,
  signal: AbortSignal,
): Promise<{ readonly result: SmtpConnectResult; readonly plain: TlsFlaw | null }> {
  const options: SmtpConnectOptions = {
    ...leavingFrom(source, target),
    ...tlsOptions,
    ...(auth === null ? {} : { auth }),
    signal,
  };
  // Opportunistic (RFC 7435): where TLS is broken, plain text as if it had not been offered; never with a login.
  const mayBePlain = options.tls === 'opportunistic' && auth === null && standing === null;
  const peer = `${target.host}:${target.port}`;
  const known = mayBePlain ? deps.broken.flawOf(peer) : null;
  if (known !== null) return { result: await deps.smtp.connect(target, { ...options, tls: 'none' }), plain: known };
  const result = await deps.smtp.connect(target, options);
  if (result.ok || result.phase !== 'starttls' || !mayBePlain) return { result, plain: null };
  const plain = result.flaw ?? 'validation-failure';
  const again = await deps.smtp.connect(target, { ...options, tls: 'none' });
  if (again.ok && result.reply === null) deps.broken.remember(peer, plain);
  return { result: again, plain };
}

/** By the name and address of the source; without one, by the address that the system takes. */
function leavingFrom({ heloName, ipv4, ipv6 }: SendingSource, { address }: SmtpTarget) {
  const localAddress = address.includes(':') ? ipv6 : ipv4;
  return localAddress === null ? { heloName } : { heloName, localAddress };
}

function failureOf(
  standing: TlsFailure['standing'],
  flaw: TlsFlaw,
  { host, address }: SmtpTarget,
  tlsa: readonly TlsaRecord[],
): TlsFailure {
  return { standing, flaw, host, address, tlsa };
}

/** Who reads the reason must see that it is a policy that keeps the mail back. */
function inTheNameOf(standing: string, result: Failed): Failed {
  if (result.flaw === null || result.failure === null) return result;
  return { ...result, failure: `${standing} is not met: ${result.failure}` };
}

function failed(failure: string): Failed {
  return { ok: false, phase: 'connect', reply: null, failure, tls: null, flaw: null, transcript: [] };
}
