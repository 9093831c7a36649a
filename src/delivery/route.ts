// Where a domain's mail goes: all through one relay, or to the domain's own mail exchangers (RFC 5321 §5.1).
import { isIP } from 'node:net';
import { isPublicAddress } from '#/domain/public-address.ts';
import type { Dns, SmtpConnectOptions, SmtpTarget } from '#/runtime/ports.ts';
import type { DomainSecurity } from './tls/plan.ts';

export interface RelaySettings {
  readonly host: string;
  readonly port: number;
  readonly tls: 'implicit' | 'opportunistic';
  readonly auth: { readonly user: string; readonly password: string } | null;
}

export interface RouteSettings {
  readonly outbound:
    | { readonly kind: 'mx'; readonly port: number }
    | { readonly kind: 'relay'; readonly relay: RelaySettings };
  /** Mail to private and loopback addresses: for test networks. */
  readonly allowPrivateNetworks: boolean;
}

export interface Destination {
  readonly kind: 'destination';
  /** Sessions are shared by what has the same key: the relay, or the set of mail exchangers. */
  readonly key: string;
  readonly transport: 'relay' | 'mx';
  /** In the order in which they are tried. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly tls: SmtpConnectOptions['tls'];
  readonly verifyCertificate: boolean;
  readonly auth: { readonly user: string; readonly password: string } | null;
  /** What the recipient's domain has published about TLS; null for a relay, which is the operator's own. */
  readonly security: DomainSecurity | null;
}

export type Route =
  | Destination
  /** The domain takes no mail, now and for ever. */
  | {
      readonly kind: 'refused';
      readonly code: 550 | 556;
      readonly enhancedCode: '5.1.2' | '5.1.10';
      readonly text: string;
    }
  /** Says nothing about the domain: later. */
  | { readonly kind: 'unresolved'; readonly reason: string };

/** A domain may name any number of hosts; past this it wastes everybody's time. */
const MAX_HOSTS = 10;
/** Addresses of one host that are tried. */
const MAX_ADDRESSES = 4;

export async function routeFor(
  domain: string,
  settings: RouteSettings,
  deps: { readonly dns: Dns; readonly uniform: () => number },
): Promise<Route> {
  if (settings.outbound.kind === 'relay') return toRelay(settings.outbound.relay);
  const { port } = settings.outbound;
  const answer = await deps.dns.mx(domain);
  switch (answer.kind) {
    case 'hosts': {
      const usable = answer.hosts.filter(({ exchange }) => isIP(exchange) === 0);
      if (usable.length === 0) return { kind: 'unresolved', reason: `${domain} names no host as its mail exchanger` };
      return toMx(inOrder(usable, deps.uniform), port);
    }
    case 'none':
      return toMx([domain], port);
    case 'null-mx':
      return { kind: 'refused', code: 556, enhancedCode: '5.1.10', text: `${domain} accepts no mail (null MX)` };
    case 'no-such-domain':
      return { kind: 'refused', code: 550, enhancedCode: '5.1.2', text: `The domain ${domain} does not exist` };
    case 'failed':
      return { kind: 'unresolved', reason: `DNS lookup of ${domain} failed: ${answer.reason}` };
    default:
      return answer satisfies never;
  }
}

function toRelay({ host, port, tls, auth }: RelaySettings): Destination {
  // A login must not be given to whoever answers: with it, and with implicit TLS, the certificate must be right.
  const verifyCertificate = tls === 'implicit' || auth !== null;
  return {
    kind: 'destination',
    key: `relay:${host}:${port}`,
    transport: 'relay',
    hosts: [host],
    port,
    tls,
    verifyCertificate,
    auth,
    security: null,
  };
}

function toMx(hosts: readonly string[], port: number): Destination {
  const key = `mx:${hosts.toSorted().join(',')}:${port}`;
  return {
    kind: 'destination',
    key,
    transport: 'mx',
    hosts: hosts.slice(0, MAX_HOSTS),
    port,
    tls: 'opportunistic',
    verifyCertificate: false,
    auth: null,
    security: null,
  };
}

/** By preference, equals in random order (RFC 5321 §5.1). */
function inOrder(hosts: readonly { exchange: string; preference: number }[], uniform: () => number): string[] {
  return hosts
    .map((host) => ({ ...host, tie: uniform() }))
    .sort((a, b) => a.preference - b.preference || a.tie - b.tie)
    .map(({ exchange }) => exchange);
}

/** What to dial for a host, in order; empty with the reason when there is nothing that may be dialled. */
export async function targetsOf(
  host: string,
  destination: Destination,
  settings: RouteSettings,
  dns: Dns,
): Promise<{ readonly targets: readonly SmtpTarget[]; readonly reason: string | null }> {
  const { port } = destination;
  if (destination.transport === 'relay' && host === 'localhost') {
    return { targets: [{ host, address: '127.0.0.1', port }], reason: null };
  }
  const answer = isIP(host) === 0 ? await dns.addresses(host) : { kind: 'addresses' as const, addresses: [host] };
  if (answer.kind === 'failed') return { targets: [], reason: `DNS lookup of ${host} failed: ${answer.reason}` };
  if (answer.kind === 'none') return { targets: [], reason: `${host} has no address` };
  // The relay is the operator's own word; a mail exchanger is a stranger's, and must not lead us into our own network.
  const free = destination.transport === 'relay' || settings.allowPrivateNetworks;
  const addresses = free ? answer.addresses : answer.addresses.filter(isPublicAddress);
  if (addresses.length === 0) return { targets: [], reason: `${host} has no public address` };
  return { targets: addresses.slice(0, MAX_ADDRESSES).map((address) => ({ host, address, port })), reason: null };
}
