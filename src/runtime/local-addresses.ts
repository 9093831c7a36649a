// Which addresses are this machine's: those of its interfaces, and whether one may be sent from.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Of all interfaces, as the system writes them. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}

/** Asks the system by binding to it: the list of interfaces does not know of ranges, nor of freely bound ones. Never throws. */
export function maySendFrom(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const answer = (may: boolean) => socket.close(() => resolve(may));
    socket.once('error', () => answer(false));
    socket.bind({ address, port: 0, exclusive: true }, () => answer(true));
  });
}
