// From a destination to an open session: its hosts in order, each host's addresses in order, TLS as the destination asks.
import type { Dns, SmtpClient, SmtpConnectResult } from '#/runtime/ports.ts';
import { type Destination, type RouteSettings, targetsOf } from './route.ts';

export interface DialDeps {
  readonly settings: RouteSettings & { readonly heloName: string };
  readonly smtp: SmtpClient;
  readonly dns: Dns;
}

/** Hosts in order, each host's addresses in order, until one greets. The last failure speaks for all. */
export async function dial(deps: DialDeps, destination: Destination, signal: AbortSignal): Promise<SmtpConnectResult> {
  let last: Extract<SmtpConnectResult, { ok: false }> = failed('no host could be tried');
  for (const host of destination.hosts) {
    const { targets, reason } = await targetsOf(host, destination, deps.settings, deps.dns);
    if (reason !== null) last = failed(reason);
    for (const target of targets) {
      const options = {
        heloName: deps.settings.heloName,
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
      if (result.ok || signal.aborted) return result;
      last = result;
    }
  }
  return last;
}

function failed(failure: string): Extract<SmtpConnectResult, { ok: false }> {
  return { ok: false, phase: 'connect', reply: null, failure, tls: null, transcript: [] };
}
