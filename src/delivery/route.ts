// Where a domain's mail goes: all through one relay, or to the domain's own mail exchangers (RFC 5321 §5.1).
import { isIP } from 'node:net';
import { isPublicAddress } from '#/domain/public-address.ts';
import { DEFAULT_SOURCE } from '#/domain/delivery/transports.ts';
import type { AddressAnswer, Dns, SmtpConnectOptions, SmtpTarget } from '#/runtime/ports.ts';
import type { DomainSecurity } from './tls/plan.ts';
import type { RelayLimits, SendingSource, Via } from './way.ts';

export interface RelaySettings {
  readonly host: string;
  readonly port: number;
  readonly tls: 'implicit' | 'opportunistic' | 'required';
  readonly auth: { readonly user: string; readonly password: string } | null;
}

/** What is this installation itself, where nobody takes mail from the world: mail that is led there goes in a circle. */
export interface Ourselves {
  readonly hosts: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
}

export interface RouteSettings {
  readonly outbound:
    | { readonly kind: 'mx'; readonly port: number }
    | { readonly kind: 'relay'; readonly relay: RelaySettings };
  readonly heloName: string;
  /** Of transports that deliver to mail exchangers. */
  readonly mxPort: number;
  /** Mail to private, loopback and own addresses: for test networks. */
  readonly allowPrivateNetworks: boolean;
  /** Mail exchangers that are aliases (RFC 5321 §5.1 forbids them). */
  readonly allowMxAliases: boolean;
  readonly ourselves: Ourselves;
}

export interface Destination {
  readonly kind: 'destination';
  /** Sessions are shared by what has the same key: the relay, or the set of mail exchangers. */
  readonly key: string;
  readonly transport: 'relay' | 'mx';
  /** By preference, the most preferred first. */
  readonly hosts: readonly string[];
  /** The same, those of one preference together: each dial draws lots among them. */
  readonly tiers: readonly (readonly string[])[];
  readonly port: number;
  readonly tls: SmtpConnectOptions['tls'];
  readonly verifyCertificate: boolean;
  readonly auth: { readonly user: string; readonly password: string } | null;
  /** What the recipient's domain has published about TLS; null for a relay, which is the operator's own. */
  readonly security: DomainSecurity | null;
  readonly source: SendingSource;
  /** The hosts are the word of an MX record, which may not name an alias. */
  readonly named: boolean;
  /** The member of a transport that it goes through; null: the settings say where it goes. */
  readonly via: Via | null;
  /** Of a relay of a transport; null: the receiving site's, or none. */
  readonly limits: RelayLimits | null;
  readonly recipientsPerTransaction: number;
}

export type Route =
  | Destination
  /** The domain takes no mail, now and for ever. */
  | {
      readonly kind: 'refused';
      readonly code: 550 | 556;
      readonly enhancedCode: '5.1.2' | '5.1.10' | '5.4.4';
      readonly text: string;
    }
  /** Says nothing about the domain: later. */
  | { readonly kind: 'unresolved'; readonly reason: string };

/** A domain may name any number of hosts; past this it wastes everybody's time. */
const MAX_HOSTS = 10;
/** Addresses of one host that are tried, of each family: many of one must not hide those of the other. */
const MAX_ADDRESSES = 4;

export async function routeFor(domain: string, via: Via | null, settings: RouteSettings, dns: Dns): Promise<Route> {
  const { outbound, heloName } = settings;
  const usual: SendingSource = { key: DEFAULT_SOURCE, ipv4: null, ipv6: null, heloName };
  if (via?.kind === 'RELAY') return toRelay(via.relay, usual, via);
  if (via === null && outbound.kind === 'relay') return toRelay(outbound.relay, usual, null);
  const source = via?.source ?? usual;
  const port = via === null && outbound.kind === 'mx' ? outbound.port : settings.mxPort;
  const answer = await dns.mx(domain);
  switch (answer.kind) {
    case 'hosts': {
      const usable = answer.hosts.filter(({ exchange }) => isIP(exchange) === 0);
      if (usable.length === 0) return { kind: 'unresolved', reason: `${domain} names no host as its mail exchanger` };
      const onward = beforeOurselves(usable, settings.ourselves);
      if (onward.length === 0) {
        return { kind: 'unresolved', reason: `the mail exchanger of ${domain} is this installation: mail would loop` };
      }
      return toMx(tiersOf(onward), { port, source, via, named: true });
    }
    case 'none':
      // RFC 5321 §5.1: then the domain is its own exchanger, if it is a host at all. What fails is asked again by the dial.
      if ((await dns.addresses(domain)).kind === 'none') return notAHost(domain);
      return toMx([[domain]], { port, source, via, named: false });
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

/** Condemns nobody: somebody may have forgotten his MX records. */
function notAHost(domain: string): Route {
  const text = `The domain ${domain} has neither MX records nor an address`;
  return { kind: 'refused', code: 550, enhancedCode: '5.4.4', text };
}

function toRelay({ host, port, tls, auth }: RelaySettings, source: SendingSource, via: Via | null): Destination {
  // A login must not be given to whoever answers: with it, and where TLS is asked for, the certificate must be right.
  const verifyCertificate = tls !== 'opportunistic' || auth !== null;
  return {
    kind: 'destination',
    // A transport's own: the same host may know another by other credentials.
    key: via === null ? `relay:${host}:${port}` : `${via.subject} ${via.version}`,
    transport: 'relay',
    hosts: [host],
    tiers: [[host]],
    port,
    tls,
    verifyCertificate,
    auth,
    security: null,
    source,
    named: false,
    via,
    limits: via?.kind === 'RELAY' ? via.limits : null,
    recipientsPerTransaction: via?.kind === 'RELAY' ? via.recipientsPerTransaction : 1,
  };
}

function toMx(
  tiers: Destination['tiers'],
  { port, ...how }: Pick<Destination, 'port' | 'source' | 'via' | 'named'>,
): Destination {
  const hosts = tiers.flat();
  const key = `mx:${hosts.toSorted().join(',')}:${port} from ${how.source.key} ${how.via?.version ?? ''}`;
  return {
    kind: 'destination',
    key,
    transport: 'mx',
    hosts,
    tiers,
    port,
    tls: 'opportunistic',
    verifyCertificate: false,
    auth: null,
    security: null,
    limits: null,
    // Reverse-path, tracking and unsubscribe links are each recipient's own.
    recipientsPerTransaction: 1,
    ...how,
  };
}

type Exchange = { readonly exchange: string; readonly preference: number };

/** RFC 5321 §5.1: who finds itself among the exchangers goes only to those that are preferred to it. */
function beforeOurselves(hosts: readonly Exchange[], { hosts: ours }: Ourselves): readonly Exchange[] {
  const own = hosts.filter(({ exchange }) => ours.has(exchange)).map(({ preference }) => preference);
  const least = Math.min(...own);
  return hosts.filter(({ preference }) => preference < least);
}

/**
 * By preference, each host once, at its best: as many as are tried. Always the same of the same records, for limits and
 * connections are kept by these names.
 */
function tiersOf(exchanges: readonly Exchange[]): string[][] {
  const sorted = exchanges.toSorted((a, b) => a.preference - b.preference || compare(a.exchange, b.exchange));
  const seen = new Set<string>();
  const once = sorted.filter(({ exchange }) => !seen.has(exchange) && seen.add(exchange));
  const tried = once.slice(0, MAX_HOSTS);
  return [...Map.groupBy(tried, ({ preference }) => preference).values()].map((tier) =>
    tier.map(({ exchange }) => exchange),
  );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** As one dial tries them: equals in random order (RFC 5321 §5.1), so that they share what many connections bring. */
export function inTurn(tiers: Destination['tiers'], uniform: () => number): string[] {
  return tiers.flatMap((tier) =>
    tier
      .map((host) => ({ host, lot: tier.length > 1 ? uniform() : 0 }))
      .toSorted((a, b) => a.lot - b.lot)
      .map(({ host }) => host),
  );
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
  const none = (reason: string) => ({ targets: [], reason });
  const relay = destination.transport === 'relay';
  const asked = destination.named && !settings.allowMxAliases ? aliasOf(host, dns) : null;
  const answer = await addressesOf(host, dns);
  const alias = await asked;
  if (alias !== null) return none(`${host} is an alias (of ${alias}), which an MX record must not name`);
  if (answer.kind === 'failed') return none(`DNS lookup of ${host} failed: ${answer.reason}`);
  if (answer.kind === 'none') return none(`${host} has no address`);
  // The relay is the operator's own word; a mail exchanger is a stranger's, and must not lead us into our own network.
  const free = relay || settings.allowPrivateNetworks;
  const known = free ? answer.addresses : answer.addresses.filter(isPublicAddress);
  if (known.length === 0) return none(`${host} has no public address`);
  const addresses = free ? known : known.filter((address) => !settings.ourselves.addresses.has(address));
  if (addresses.length === 0) return none(`${host} is this installation: mail would loop`);
  const six = addresses.filter((address) => isIP(address) === 6).slice(0, MAX_ADDRESSES);
  const four = addresses.filter((address) => isIP(address) === 4).slice(0, MAX_ADDRESSES);
  return { targets: [...six, ...four].map((address) => ({ host, address, port })), reason: null };
}

async function addressesOf(host: string, dns: Dns): Promise<AddressAnswer> {
  return isIP(host) === 0 ? dns.addresses(host) : { kind: 'addresses', addresses: [host] };
}

/** Null: none. What cannot be found out is let be: the addresses are there or they are not. */
async function aliasOf(host: string, dns: Dns): Promise<string | null> {
  const answer = await dns.cname(host);
  return answer.kind === 'chain' ? (answer.names[0] ?? null) : null;
}
