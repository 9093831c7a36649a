// The networks that a token may be used from: as people write them, and as they are kept.
import ipaddr from 'ipaddr.js';
import type { Issues } from '#/domain/email/issues.ts';
import { MAX_ALLOWED_IPS } from '#/domain/token-rules.ts';

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** In canonical CIDR form, each once. What is wrong is added to the issues. */
export function checkAllowedIps(ranges: readonly string[], issues: Issues): string[] {
  if (ranges.length > MAX_ALLOWED_IPS) {
    issues.add(['allowedIps'], `has ${ranges.length} entries; at most ${MAX_ALLOWED_IPS} are allowed`);
    return [];
  }
  const checked = ranges.map((range, index) => {
    const network = readNetwork(range.trim());
    if (typeof network === 'string') return network;
    issues.add(['allowedIps', index], network.flaw);
    return null;
  });
  return [...new Set(checked.filter((range) => range !== null))];
}

/** Bits beyond the prefix are refused, not masked: 10.0.0.1/8 was meant as something else than 10.0.0.0/8. */
function readNetwork(text: string): string | { readonly flaw: string } {
  const [address = '', length, ...rest] = text.split('/');
  const parsed = rest.length > 0 ? null : readAddress(address);
  if (parsed === null) return { flaw: 'is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32' };
  const bits = readLength(length, parsed);
  if (bits === null) return { flaw: 'has a prefix that is too long, or no number' };
  const network = masked(parsed, bits);
  const [canonical, prefix] = plain([network, bits]);
  if (network.toNormalizedString() !== parsed.toNormalizedString()) {
    return { flaw: `has bits beyond its prefix; the network is ${textOf([canonical, prefix])}` };
  }
  if (canonical.kind() === 'ipv6' && parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()) {
    return { flaw: 'is wider than all of IPv4; write IPv4 networks as such' };
  }
  return textOf([canonical, prefix]);
}

/** Four decimal parts or RFC 4291, and nothing of what else the library reads as an address (octal, one number). */
function readAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null;
  return ipaddr.IPv6.parse(text);
}

function readLength(text: string | undefined, address: ipaddr.IPv4 | ipaddr.IPv6): number | null {
  const longest = address.kind() === 'ipv4' ? 32 : 128;
  if (text === undefined) return longest;
  return /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= longest ? Number(text) : null;
}

function masked(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): ipaddr.IPv4 | ipaddr.IPv6 {
  const bytes = address
    .toByteArray()
    .map((byte, index) => byte & (0xff << (8 - Math.min(8, Math.max(0, bits - index * 8)))) & 0xff);
  return ipaddr.fromByteArray(bytes);
}

/** ::ffff:10.0.0.0/104 is 10.0.0.0/8: callers are compared in that form. */
function plain([address, bits]: Network): Network {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96
    ? [address.toIPv4Address(), bits - 96]
    : [address, bits];
}

function textOf([address, bits]: Network): string {
  return `${address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()}/${bits}`;
}
