// Addresses that we make, beside reverse-paths: they name what they are for, and an HMAC shows that they are ours.
//
//   fbl-8f0qk2m4t6v8x0z1@bounces.acme.example       complaints about mail of the domain whose return path this is
//   rua-2m4t6v8x0z18f0qk@bounces.acme.example       DMARC and TLS reports about it
//   01k7…t6v8x0z18f@mail.host                       mail for the application of a server
//
// The second stands below the domain itself, so that receivers send reports there without asking (RFC 9990 §4).
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { authenticator, isSame } from './reverse-path.ts';

const prefixes = { feedback: 'fbl', report: 'rua' } as const;
export type DomainAddressKind = keyof typeof prefixes;

const DOMAIN_ADDRESS = /^(fbl|rua)-([0-9a-z]{16})$/;
const INBOUND = /^([0-9a-z]{26})([0-9a-z]{10})$/;
const INBOUND_MAC = 10;

/** `host`: the return path of a domain. */
export function domainAddress(kind: DomainAddressKind, host: string, secret: Uint8Array): string {
  return `${prefixes[kind]}-${authenticator(`${kind}\0${host}`, secret)}@${host}`;
}

export function readDomainAddress(
  address: string,
  secret: Uint8Array,
): { readonly kind: DomainAddressKind; readonly host: string } | null {
  const { localPart, domain } = partsOf(address.toLowerCase());
  const [, prefix, mac] = DOMAIN_ADDRESS.exec(localPart) ?? [];
  if (prefix === undefined || mac === undefined) return null;
  const kind = prefix === prefixes.feedback ? 'feedback' : 'report';
  return isSame(mac, authenticator(`${kind}\0${domain}`, secret)) ? { kind, host: domain } : null;
}

/** 36 characters. Whoever knows the id of a server does not know its address. */
export function inboundLocalPart(serverId: string, secret: Uint8Array): string {
  const id = encodeId('server', serverId).slice(4);
  return `${id}${authenticator(`inbound\0${id}`, secret).slice(0, INBOUND_MAC)}`;
}

/** The server that a local part names, without what follows a plus. */
export function readInboundLocalPart(localPart: string, secret: Uint8Array): string | null {
  const [, id, mac] = INBOUND.exec(localPart.toLowerCase()) ?? [];
  if (id === undefined || mac === undefined) return null;
  if (!isSame(mac, authenticator(`inbound\0${id}`, secret).slice(0, INBOUND_MAC))) return null;
  return decodeIdOf('server', `srv_${id}`);
}

export interface AddressParts {
  /** Without what follows the first plus. */
  readonly base: string;
  /** What follows it; empty without one. */
  readonly mailboxHash: string;
  readonly localPart: string;
  readonly domain: string;
}

export function partsOf(address: string): AddressParts {
  const at = address.lastIndexOf('@');
  const localPart = address.slice(0, Math.max(at, 0));
  const plus = localPart.indexOf('+');
  return {
    base: plus < 0 ? localPart : localPart.slice(0, plus),
    mailboxHash: plus < 0 ? '' : localPart.slice(plus + 1),
    localPart,
    domain: address.slice(at + 1).toLowerCase(),
  };
}
