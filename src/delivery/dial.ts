// From a destination to an open session: its hosts in order, each host's addresses in order, TLS as the destination asks.
import type { Dns, SmtpClient, SmtpConnectResult, SmtpTarget } from '#/runtime/ports.ts';
import type { Families } from './families.ts';
import { type Destination, type RouteSettings, targetsOf } from './route.ts';
import type { SendingSource } from './way.ts';

export interface DialDeps {
  readonly settings: RouteSettings;
  readonly smtp: SmtpClient;
  readonly dns: Dns;
  readonly families: Families;
  /** Told of what came of a dial, unless there was nothing to dial. */
  dialled(destination: Destination, result: SmtpConnectResult): void;
}

/** Hosts in order, each host's addresses in order, until one greets. The last failure speaks for all. */
export async function dial(deps: DialDeps, destination: Destination, signal: AbortSignal): Promise<SmtpConnectResult> {
  const { families } = deps;
  const { source } = destination;
  const tried: SmtpTarget[] = [];
  let last: Extract<SmtpConnectResult, { ok: false }> = failed('no host could be tried');
  for (const host of destination.hosts) {
    const { targets, reason } = await targetsOf(host, destination, deps.settings, deps.dns);
    if (reason !== null) last = failed(reason);
    const usable = families.usable(source, targets);
    if (usable.length === 0 && targets.length > 0)
      last = failed(`${host} has no address of a family that ${source.key} has`);
    for (const target of usable) {
      const options = {
        ...leavingFrom(source, target),
        tls: destination.tls,
        verifyCertificate: destination.verifyCertificate,
        ...(destination.auth === null ? {} : { auth: destination.auth }),
        signal,
      };
      let result = await deps.smtp.connect(target, options);
      // Opportunistic (RFC 7435): where TLS is broken, plain text as if it had not been offered; never with a login.
      if (
        !result.ok &&
        result.phase === 'starttls' &&
        destination.tls === 'opportunistic' &&
        destination.auth === null
      ) {
        result = await deps.smtp.connect(target, { ...options, tls: 'none' });
      }
      if (signal.aborted) return result;
      if (result.ok) {
        families.worked(source, target, tried);
        deps.dialled(destination, result);
        return result;
      }
      if (result.phase === 'connect') {
        families.failed(source, target, result.failure);
        tried.push(target);
      }
      last = result;
    }
  }
  if (tried.length > 0 || last.phase !== 'connect') deps.dialled(destination, last);
  return last;
}

/** By the name and address of the source; without one, by the address that the system takes. */
function leavingFrom({ heloName, ipv4, ipv6 }: SendingSource, { address }: SmtpTarget) {
  const localAddress = address.includes(':') ? ipv6 : ipv4;
  return localAddress === null ? { heloName } : { heloName, localAddress };
}

function failed(failure: string): Extract<SmtpConnectResult, { ok: false }> {
  return { ok: false, phase: 'connect', reply: null, failure, tls: null, transcript: [] };
}
