// How a recipient's mail leaves: as the settings say, or through one member of a transport that the operator made.
import type { RelaySettings } from './route.ts';

/** Addresses of ours that mail leaves from. */
export interface SendingSource {
  /** Limits, health and connections are each source's own. */
  readonly key: string;
  /** Null: none; of both families null: what the system takes. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly heloName: string;
}

export interface RelayLimits {
  readonly connections: number;
  readonly messagesPerConnection: number;
  readonly messagesPerSecond: number;
}

interface Member {
  /** The name of the transport. */
  readonly transport: string;
  /** Connections that were made before a change are not used after it. */
  readonly version: string;
  /** Under which its health is kept (domain/delivery/transports.ts). */
  readonly subject: string;
  readonly priority: number;
  readonly weight: number;
}

export interface RelayMember extends Member {
  readonly kind: 'RELAY';
  readonly relay: RelaySettings;
  readonly limits: RelayLimits;
  readonly recipientsPerTransaction: number;
}

export interface SourceMember extends Member {
  readonly kind: 'MX';
  readonly source: SendingSource;
}

export type Via = RelayMember | SourceMember;

export type Way =
  /** `via` null: as the settings say. */
  | { readonly kind: 'open'; readonly via: Via | null }
  /** Nothing of the transport is in order, or not on this node: nothing is tried. */
  | { readonly kind: 'closed'; readonly until: Date };

/** Mail that goes to one domain goes together when this is the same. */
export function wayKey(way: Way): string {
  return way.kind === 'closed' ? 'closed' : (way.via?.subject ?? '');
}
