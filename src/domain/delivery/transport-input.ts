// What the staff says of a transport, as it may be kept. Pure.
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Issues } from '../email/issues.ts';
import { lineFlaw } from '../email/text.ts';
import {
  MAX_CREDENTIAL,
  MAX_MEMBERS,
  MAX_PRIORITY,
  MAX_RECIPIENTS_PER_TRANSACTION,
  MAX_RELAY_CONNECTIONS,
  MAX_RELAY_MESSAGES_PER_CONNECTION,
  MAX_RELAY_MESSAGES_PER_SECOND,
  MAX_WEIGHT,
  type RelayTls,
  sourceKey,
  type TransportKind,
} from './transports.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface RelayInput {
  readonly host: string;
  readonly port: number;
  readonly tls: RelayTls;
  /** Absent: those that the relay of this host and port has; null: none. */
  readonly credentials?: Credentials | null | undefined;
  readonly priority: number;
  readonly weight: number;
}

export interface SourceInput {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly heloName: string;
  readonly weight: number;
}

export interface TransportInput {
  readonly name: string;
  readonly kind: TransportKind;
  readonly relays: readonly RelayInput[];
  readonly sources: readonly SourceInput[];
  readonly recipientsPerTransaction: number;
  readonly connections: number | null;
  readonly messagesPerConnection: number | null;
  readonly messagesPerSecond: number | null;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
export const NAME_RULE = '1 to 40 of a to z, 0 to 9 and hyphens';
const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** Names in lower case and addresses in the one form in which they are compared; what is wrong stands in `issues`. */
export function checkedTransport(input: TransportInput, issues: Issues): TransportInput {
  if (!NAME.test(input.name)) issues.add(['name'], `is not ${NAME_RULE}`);
  const relays = input.relays.map((relay, index) => checkedRelay(relay, index, issues));
  const sources = input.sources.map((source, index) => checkedSource(source, index, issues));
  checkMembers(input.kind, relays, sources, issues);
  checkLimits(input, issues);
  return { ...input, relays, sources };
}

function checkMembers(
  kind: TransportKind,
  relays: readonly RelayInput[],
  sources: readonly SourceInput[],
  issues: Issues,
): void {
  const [own, others, used, unused] =
    kind === 'RELAY' ? [relays, sources, 'relays', 'sources'] : [sources, relays, 'sources', 'relays'];
  if (own.length === 0) issues.add([used], 'is empty');
  if (own.length > MAX_MEMBERS) issues.add([used], `has more than ${MAX_MEMBERS} entries`);
  if (others.length > 0) issues.add([unused], `is not for transports of the kind ${kind}`);
  const hosts = relays.map(({ host, port }) => `${host}:${port}`);
  if (new Set(hosts).size < hosts.length) issues.add(['relays'], 'names a host and port twice');
  const addresses = sources.flatMap((source) => sourceKey(source).split(','));
  if (new Set(addresses).size < addresses.length) issues.add(['sources'], 'names an address twice');
}

function checkedRelay(relay: RelayInput, index: number, issues: Issues): RelayInput {
  const at = (field: string) => ['relays', index, field];
  const host = relay.host.toLowerCase();
  if (!HOST.test(host) && isIP(host) === 0) issues.add(at('host'), 'is neither a host name nor an address');
  checkRange(relay.port, 1, 65_535, at('port'), issues);
  checkRange(relay.priority, 0, MAX_PRIORITY, at('priority'), issues);
  checkRange(relay.weight, 1, MAX_WEIGHT, at('weight'), issues);
  const { credentials } = relay;
  if (credentials != null) {
    for (const field of ['user', 'password'] as const) {
      const text = credentials[field];
      const flaw = text === '' ? 'is empty' : text.length > MAX_CREDENTIAL ? `is longer than ${MAX_CREDENTIAL}` : null;
      const said = flaw ?? lineFlaw(text);
      if (said !== null) issues.add(['relays', index, 'credentials', field], said);
    }
  }
  return { ...relay, host };
}

function checkedSource(source: SourceInput, index: number, issues: Issues): SourceInput {
  const at = (field: string) => ['sources', index, field];
  const { ipv4, ipv6, heloName } = source;
  if (ipv4 === null && ipv6 === null) issues.add(at('ipv4'), 'is missing, and so is ipv6: a source has one at least');
  if (ipv4 !== null && (!isIPv4(ipv4) || ipv4 === '0.0.0.0')) issues.add(at('ipv4'), 'is no IPv4 address');
  const six = ipv6 === null ? null : canonicalIpv6(ipv6);
  if (ipv6 !== null && six === null) issues.add(at('ipv6'), 'is no IPv6 address');
  if (!HOST.test(heloName)) issues.add(at('heloName'), 'is no host name');
  checkRange(source.weight, 1, MAX_WEIGHT, at('weight'), issues);
  return { ...source, ipv6: six, heloName: heloName.toLowerCase() };
}

/** One address is one source, however it is written. Null: it is none. */
function canonicalIpv6(address: string): string | null {
  if (!isIPv6(address) || address.includes('%')) return null;
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  return written === '::' ? null : written;
}

function checkLimits(input: TransportInput, issues: Issues): void {
  const { kind, recipientsPerTransaction, messagesPerSecond } = input;
  checkRange(recipientsPerTransaction, 1, MAX_RECIPIENTS_PER_TRANSACTION, ['recipientsPerTransaction'], issues);
  const limits = [
    ['connections', MAX_RELAY_CONNECTIONS],
    ['messagesPerConnection', MAX_RELAY_MESSAGES_PER_CONNECTION],
  ] as const;
  for (const [field, most] of limits) {
    const value = input[field];
    if (value !== null) checkRange(value, 1, most, [field], issues);
  }
  if (messagesPerSecond !== null && !(messagesPerSecond >= 0.1 && messagesPerSecond <= MAX_RELAY_MESSAGES_PER_SECOND))
    issues.add(['messagesPerSecond'], `is not from 0.1 to ${MAX_RELAY_MESSAGES_PER_SECOND}`);
  if (kind === 'RELAY') return;
  if (recipientsPerTransaction > 1) issues.add(['recipientsPerTransaction'], 'is for relays');
  for (const field of ['connections', 'messagesPerConnection', 'messagesPerSecond'] as const) {
    if (input[field] !== null) issues.add([field], 'is for relays: to mail exchangers each site has its own limits');
  }
}

function checkRange(
  value: number,
  least: number,
  most: number,
  path: readonly (string | number)[],
  issues: Issues,
): void {
  if (!Number.isInteger(value) || value < least || value > most) issues.add(path, `is not from ${least} to ${most}`);
}
