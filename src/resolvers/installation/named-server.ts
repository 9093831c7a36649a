// The server and the domains that the operator's command line asks for by name: found, or made.
import { findServerByName } from '#/db/installation.ts';
import type { WriteScope } from '#/db/scope.ts';
import { insertServer } from '#/db/servers.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { Conflict, InvalidInput } from '#/domain/errors.ts';
import { generateDkimKeys } from '#/mail/dkim/keys.ts';
import type { Clock, Ids, Random, SecretBox } from '#/runtime/ports.ts';
import { type KeyPairs, sealKeys } from '../domains/make-keys.ts';
import { verifyOnWord } from '../domains/verify-on-word.ts';
import { insertDefaultStreams } from '../servers/default-streams.ts';

export interface ServerOrder {
  readonly server: string;
  readonly delivery: 'LIVE' | 'SANDBOX';
  readonly verifiedDomains: readonly string[];
}

interface MakingDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly secrets: SecretBox;
}

export interface PreparedDomain {
  readonly name: string;
  readonly pairs: KeyPairs;
}

/** Before the transaction: keys take a tenth of a second each, and the log waits for whoever is in one. */
export function prepareDomains(domains: readonly string[]): Promise<readonly PreparedDomain[]> {
  const names = domains.map((domain) => {
    // A domain is written as the part of an address that it will be.
    const parsed = parseMailbox(`postmaster@${domain}`);
    if (!parsed.ok) throw InvalidInput.at(['verified-domain'], `${domain}: ${parsed.reason}`);
    return parsed.mailbox.domain;
  });
  return Promise.all(names.map(async (name) => ({ name, pairs: await generateDkimKeys() })));
}

export async function ensureServer(deps: MakingDeps, scope: WriteScope, order: ServerOrder): Promise<string> {
  const known = await findServerByName(scope, order.server);
  if (known !== undefined) {
    if (known.deliveryType !== order.delivery) {
      throw new Conflict(`The server "${order.server}" is there with another kind of delivery, which cannot change.`);
    }
    return known.id;
  }
  const id = deps.ids.next();
  await insertServer(scope, {
    accountId: scope.accountId,
    id,
    name: order.server,
    color: 'BLUE',
    deliveryType: order.delivery,
    trackOpens: false,
    trackLinks: 'NONE',
    createdAt: scope.now,
    deletedAt: null,
    domainsLimited: false,
  });
  await insertDefaultStreams(scope, deps.ids, id);
  return id;
}

export async function claimDomains(
  deps: MakingDeps,
  scope: WriteScope,
  domains: readonly PreparedDomain[],
): Promise<void> {
  for (const { name, pairs } of domains) {
    if (!(await verifyOnWord(scope, deps.ids, name, sealKeys(deps, scope.accountId, pairs)))) {
      throw new Conflict(`Another account holds the domain ${name}.`);
    }
  }
}
