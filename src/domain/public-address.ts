// Whether an IP address is one of the public internet: what a stranger's word may make this program connect to.
import ipaddr from 'ipaddr.js';

/** What is handed out of IPv6 begins with the bits 001; below lie the forms that carry an IPv4 address. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

/**
 * False for private, loopback, link-local, unique-local and shared (CGNAT) addresses, for those that carry another one
 * (IPv4-mapped ones are judged by what they carry; 6to4, Teredo and NAT64 are refused), and for what is reserved.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const judged = ipaddr.process(address);
  return judged.range() === 'unicast' && (judged.kind() === 'ipv4' || judged.match(GLOBAL_UNICAST));
}
