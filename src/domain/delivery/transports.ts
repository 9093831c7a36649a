// Ways out that the operator makes: mail exchangers from a pool of source addresses, or relays. Which member of a
// transport a recipient's mail takes. Pure.
import { createHash } from 'node:crypto';

export type TransportKind = 'MX' | 'RELAY';
export type RelayTls = 'OPPORTUNISTIC' | 'REQUIRED' | 'IMPLICIT';

export const MAX_TRANSPORTS = 50;
/** Relays, or sources, of one transport: each mail looks at all of them. */
export const MAX_MEMBERS = 50;
/** Choices of servers and streams, which each worker keeps in memory. */
export const MAX_CHOICES = 10_000;
export const MAX_WEIGHT = 1_000;
export const MAX_PRIORITY = 1_000;
export const MAX_RECIPIENTS_PER_TRANSACTION = 1_000;
export const MAX_RELAY_CONNECTIONS = 1_000;
export const MAX_RELAY_MESSAGES_PER_CONNECTION = 1_000_000;
export const MAX_RELAY_MESSAGES_PER_SECOND = 100_000;
export const MAX_CREDENTIAL = 500;

/** Of a relay of which nothing else was said. */
export const usualRelayLimits = { connections: 20, messagesPerConnection: 10_000, messagesPerSecond: 10_000 } as const;

export interface Source {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** The source of mail for which the operator made none: whatever address the system takes. */
export const DEFAULT_SOURCE = 'default';
/** In a measure of the staff: whatever address mail leaves from. */
export const EVERY_SOURCE = '*';

/**
 * A source is named by its addresses: receivers count by these, so transports that share them share limits and health.
 */
export function sourceKey({ ipv4, ipv6 }: Source): string {
  return [ipv4, ipv6].filter((address) => address !== null).join(',');
}

/** Under these names health and pace are kept. A relay is its transport's: two may reach one host with other credentials. */
export const subjectOfSource = (source: Source): string => `source:${sourceKey(source)}`;
export const subjectOfRelay = (transport: string, { host, port }: { readonly host: string; readonly port: number }) =>
  `relay:${transport}/${host}:${port}`;

export interface Member {
  readonly subject: string;
  /** Lower is used first; those of one priority share. */
  readonly priority: number;
  readonly weight: number;
}

/**
 * Which of `members` what is named by `key` takes: always the same while it is among them, so that a retry comes back from
 * the same address, and where one goes or comes only its own part moves (weighted rendezvous hashing). Null: none is left.
 */
export function memberFor<T extends Member>(members: readonly T[], key: string): T | null {
  const first = Math.min(...members.map(({ priority }) => priority));
  let chosen: T | null = null;
  let best = Number.NEGATIVE_INFINITY;
  for (const member of members) {
    if (member.priority !== first) continue;
    const score = -member.weight / Math.log(fractionOf(`${key}\0${member.subject}`));
    if (score > best) [chosen, best] = [member, score];
  }
  return chosen;
}

/** In (0, 1), evenly. */
function fractionOf(text: string): number {
  const digest = createHash('sha256').update(text).digest();
  return (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48;
}

/** What credentials are sealed for: `user NUL password` of this relay and of no other. */
export const relaySealPurpose = ({ transportId, id }: { readonly transportId: string; readonly id: string }) =>
  `transport_relays/${transportId}/${id}/credentials`;
