// To where a name of strangers may lead: judged in the very lookup that a connection uses, so that there is no moment
// between check and connect in which DNS could say something else.
import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIPv6 } from 'node:net';
import { isPublicAddress } from '#/domain/public-address.ts';
import type { Dns } from './ports.ts';

/** An address that is not to be connected to, or none at all. */
export class NoAddress extends Error {}

/** `lasting`: no later try would change it. */
export type Judged = { readonly addresses: readonly string[] } | { readonly flaw: string; readonly lasting: boolean };

export function createJudge(options: {
  readonly dns: Pick<Dns, 'addresses'>;
  readonly allowPrivateNetworks: boolean;
}): (host: string) => Promise<Judged> {
  const { dns, allowPrivateNetworks } = options;
  return async (host) => {
    // DNS of ours never reads the hosts file, and nobody's public name is `localhost`.
    if (allowPrivateNetworks && host === 'localhost') return { addresses: ['127.0.0.1'] };
    const answer = await dns.addresses(host);
    if (answer.kind === 'failed') return { flaw: `DNS lookup failed: ${answer.reason}`, lasting: false };
    if (answer.kind === 'none') return { flaw: 'the host has no address', lasting: false };
    // All of them must be public: what also leads into a private network is not to be trusted with the rest.
    if (!allowPrivateNetworks && !answer.addresses.every(isPublicAddress))
      return { flaw: 'leads into a private network', lasting: true };
    return { addresses: answer.addresses };
  };
}

/** In the form that net.connect wants, which asks for one address or for all. */
export function lookupThrough(judge: (host: string) => Promise<Judged>) {
  return (
    host: string,
    { all }: LookupOptions,
    callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
  ): void => {
    const answer = async (): Promise<void> => {
      const judged = await judge(host);
      if ('flaw' in judged)
        return callback(new NoAddress(judged.lasting ? `the host ${judged.flaw}` : judged.flaw), []);
      const found = judged.addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
      const [first] = found;
      if (first === undefined) return callback(new NoAddress('the host has no address'), []);
      return all === true ? callback(null, found) : callback(null, first.address, first.family);
    };
    void answer();
  };
}
