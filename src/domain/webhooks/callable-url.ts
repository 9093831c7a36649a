// Which URLs may be called. What a name leads to is judged apart, at each connection (runtime/http-client.ts); here is
// what the text alone tells. The URL parser has written decimal, octal and hexadecimal IPv4 addresses, and those in other
// scripts, in their one form by then.
import ipaddr from 'ipaddr.js';
import { isPublicAddress } from '../public-address.ts';
import { MAX_URL } from './rules.ts';

/** Web servers; everything else that may listen somewhere (22, 25, 5432, 6379 …) speaks another language. */
const PORTS: readonly (readonly [first: number, last: number])[] = [
  [80, 80],
  [443, 443],
  [8_000, 8_999],
];
/** Names that only mean something inside a network (RFC 6761, RFC 6762, RFC 8375, and `.internal` by ICANN). */
const INNER_NAMES = /(?:^|\.)(?:localhost|local|internal|intranet|private|corp|home|lan|localdomain|home\.arpa)$/;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+$/;

export interface CallRules {
  /** For test networks: any address, any port, and no TLS. */
  readonly allowPrivateNetworks: boolean;
}

export type CallableUrl = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly reason: string };

const no = (reason: string) => ({ ok: false, reason }) as const;

export function callableUrl(text: string, { allowPrivateNetworks }: CallRules): CallableUrl {
  if (text.length > MAX_URL) return no(`is longer than ${MAX_URL} characters`);
  const url = URL.parse(text);
  if (url === null) return no('is not a URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return no('is not an https URL');
  if (url.username !== '' || url.password !== '') return no('holds credentials: give them as basicAuth or in a header');
  if (url.hash !== '') return no('has a fragment (#…), which is never sent');
  if (allowPrivateNetworks) return { ok: true, url };
  if (url.protocol === 'http:') return no('is not an https URL');
  if (!isWebPort(url)) return no('has a port other than 80, 443 and 8000 to 8999');
  const flaw = hostFlaw(url.hostname);
  return flaw === null ? { ok: true, url } : no(flaw);
}

function isWebPort({ port }: URL): boolean {
  return port === '' || PORTS.some(([first, last]) => Number(port) >= first && Number(port) <= last);
}

function hostFlaw(hostname: string): string | null {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (ipaddr.isValid(host)) return isPublicAddress(host) ? null : 'leads into a private network';
  if (INNER_NAMES.test(host)) return 'leads into a private network';
  return HOST_NAME.test(host) ? null : 'has no full host name';
}

/** As it is shown: secrets that stand in the query are left out. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  for (const name of new Set(shown.searchParams.keys())) shown.searchParams.set(name, '…');
  return shown.href.replaceAll('%E2%80%A6', '…');
}
