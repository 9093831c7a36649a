// Whose request it is. X-Forwarded-For is what anybody may write, so only the entries that our own proxies have put there
// count: read from the right, as long as the one who reports is trusted.
import ipaddr from 'ipaddr.js';

export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | readonly string[] | undefined,
  trusted: readonly AddressRange[],
): string {
  let address = plain(peer ?? '0.0.0.0');
  if (trusted.length === 0 || forwardedFor === undefined) return address;
  const hops = (typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')).split(',');
  while (isTrusted(address, trusted)) {
    const hop = hops
      .pop()
      ?.trim()
      .replace(/^\[(.*)\](?::\d+)?$|^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1$2');
    if (hop === undefined || !ipaddr.isValid(hop)) break;
    address = plain(hop);
  }
  return address;
}

/** IPv4 as a dual-stack socket reports it (RFC 4291 §2.5.5.2) in its own form. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function isTrusted(address: string, trusted: readonly AddressRange[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return trusted.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits));
}
