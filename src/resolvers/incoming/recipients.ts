// Whom an address is for that mail comes to: the answer to RCPT. Forged addresses fail by their HMAC, without a look at
// the database; the rest is looked up, and remembered for some seconds or until something changes.
import {
  findDomainOfReturnPath,
  findInboundServer,
  findServerOfInboundDomain,
  type InboundServer,
  type ReturnPathDomain,
} from '#/db/incoming-addresses.ts';
import { partsOf, readDomainAddress, readInboundLocalPart } from '#/mail/incoming-address.ts';
import { readVerp, type VerpRecipient } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';

export type Judged =
  | ({ readonly kind: 'return-path'; readonly accountId: string } & VerpRecipient)
  | { readonly kind: 'report' | 'feedback'; readonly accountId: string; readonly domainId: string }
  | ({ readonly kind: 'inbound'; readonly mailboxHash: string } & InboundServer);

export interface IncomingRecipients {
  /** Null: nobody we know. `address` is `local@domain`; its domain in A-labels, lower case. */
  judge(address: string): Promise<Judged | null>;
}

const MAX_AGE_MS = 2_000;
const MAX_ENTRIES = 10_000;
/** A mailbox hash is what an application has put there; longer ones are not ours to keep. */
const MAX_HASH = 100;

type Place = InboundServer | ReturnPathDomain | null;

export function createRecipients(
  deps: Pick<Deps, 'system' | 'clock' | 'channel' | 'returnPathSecret' | 'mailHost'>,
): IncomingRecipients {
  const { system, clock, channel, returnPathSecret: secret, mailHost } = deps;
  const places = new Map<string, { readonly found: Promise<Place>; readonly staleAt: number }>();
  channel.on('config', () => places.clear());

  const recall = <T extends Place>(name: string, find: () => Promise<T>): Promise<T> => {
    const now = clock.monotonic();
    const known = places.get(name);
    // The name begins with what is looked for, so it was found by the same function.
    if (known !== undefined && known.staleAt > now) return known.found as Promise<T>;
    if (places.size >= MAX_ENTRIES) places.clear();
    const found = find();
    places.set(name, { found, staleAt: now + MAX_AGE_MS });
    found.catch(() => places.delete(name));
    return found;
  };

  const pathOf = (host: string) => recall(`path ${host}`, () => findDomainOfReturnPath(system, host));

  /** What has passed once passes always; forged ones are computed anew each time, and take no room. */
  const serverIds = new Map<string, string>();
  const serverIdOf = (base: string): string | null => {
    const known = serverIds.get(base);
    if (known !== undefined) return known;
    const id = readInboundLocalPart(base, secret);
    if (id === null) return null;
    if (serverIds.size >= MAX_ENTRIES) serverIds.clear();
    serverIds.set(base, id);
    return id;
  };

  const serverOf = (base: string, domain: string): Promise<InboundServer | null> => {
    if (domain !== mailHost) return recall(`domain ${domain}`, () => findServerOfInboundDomain(system, domain));
    const id = serverIdOf(base);
    return id === null ? Promise.resolve(null) : recall(`server ${id}`, () => findInboundServer(system, id));
  };

  return {
    async judge(address) {
      const verp = readVerp(address, secret);
      if (verp !== null) {
        const domain = await pathOf(partsOf(address).domain);
        return domain === null ? null : { kind: 'return-path', accountId: domain.accountId, ...verp };
      }
      const own = readDomainAddress(address, secret);
      if (own !== null) {
        const domain = await pathOf(own.host);
        return domain === null ? null : { kind: own.kind, accountId: domain.accountId, domainId: domain.domainId };
      }
      const { base, mailboxHash, domain } = partsOf(address);
      const server = await serverOf(base, domain);
      return server === null ? null : { kind: 'inbound', ...server, mailboxHash: mailboxHash.slice(0, MAX_HASH) };
    },
  };
}
