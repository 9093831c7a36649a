// Names of addresses of ours (PTR records), and from which of them the system would call.
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import type { ReverseNames } from './ports.ts';

const TRY_MS = 2_000;
/** Any will do: connecting a datagram socket sends nothing. */
const PORT = 25;

export function createReverseNames({ servers = [] }: { readonly servers?: readonly string[] } = {}): ReverseNames {
  const resolver = new Resolver({ timeout: TRY_MS, tries: 2 });
  if (servers.length > 0) resolver.setServers([...servers]);
  return {
    async ask(address) {
      try {
        const found = await resolver.resolvePtr(arpaName(address));
        return found.length > 0 ? 'named' : 'nameless';
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : null;
        return code === 'ENOTFOUND' || code === 'ENODATA' ? 'nameless' : 'unknown';
      }
    },
    addressTowards: (address) =>
      new Promise((resolve) => {
        const socket = createSocket('udp6');
        const answer = (own: string | null) => socket.close(() => resolve(own));
        socket.once('error', () => answer(null));
        // node's types do not tell that the callback gets the error in place of the listener.
        socket.connect(PORT, address, (error?: Error | null) =>
          answer(error == null ? socket.address().address : null),
        );
      }),
  };
}

/** RFC 3596 §2.5. */
export function arpaName(address: string): string {
  const nibbles = Buffer.from(ipaddr.IPv6.parse(address).toByteArray()).toString('hex').split('');
  return `${nibbles.toReversed().join('.')}.ip6.arpa`;
}
