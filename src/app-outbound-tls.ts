// Constructs what delivery knows of TLS: policies of receivers, fetched and kept; DANE where the resolver validates; counts
// for reports.
import type { SystemScope } from '#/db/scope.ts';
import { createOutboundTls, type OutboundTls } from '#/delivery/tls/outbound-tls.ts';
import { MAX_POLICY_BYTES } from '#/mail/mta-sts/policy.ts';
import type { Config } from '#/runtime/config.ts';
import { createPolicyFetcher } from '#/runtime/policy-fetcher.ts';
import type { Channel, Clock, Dns, Log, Random } from '#/runtime/ports.ts';
import { createSecureDns } from '#/runtime/secure-dns.ts';
import type { Trust } from '#/runtime/trust.ts';

interface Deps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly channel: Channel;
  readonly dns: Dns;
  readonly random: Random;
  readonly log: Log;
  readonly trust: Trust;
}

type Settings = Pick<Config, 'dnssec' | 'dnsServers' | 'allowPrivateNetworks' | 'mtaStsPort' | 'tlsReports'>;

/** Ends with `stack`. */
export function startOutboundTls(stack: AsyncDisposableStack, config: Settings, deps: Deps): OutboundTls {
  const { dns, trust } = deps;
  const { dnssec, dnsServers, allowPrivateNetworks, mtaStsPort: port, tlsReports: reports } = config;
  const fetcher = stack.use(
    createPolicyFetcher({ dns, trust, allowPrivateNetworks, port, maxBytes: MAX_POLICY_BYTES }),
  );
  const secureDns = dnssec ? createSecureDns(dnsServers === null ? {} : { servers: dnsServers }) : null;
  return stack.use(createOutboundTls({ ...deps, fetcher, secureDns, reports }));
}
