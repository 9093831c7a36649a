// Lets an account send from a domain, as bootstrap does, with keys that all domains of a process share: making RSA keys
// for each took a fifth of the processor time of all tests. What keys must be is tested where they are made.
import { scopeOfAccount, type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { generateDkimKeys } from '#/mail/dkim/keys.ts';
import { claimDomains } from '#/resolvers/installation/named-server.ts';
import type { Deps } from '#/resolvers/deps.ts';

type MakingDeps = Pick<Deps, 'clock' | 'ids' | 'random' | 'secrets' | 'channel'> & { readonly system: SystemScope };

let keys: ReturnType<typeof generateDkimKeys> | undefined;

export async function verifyDomain(deps: MakingDeps, accountId: string, name: string): Promise<void> {
  keys ??= generateDkimKeys();
  const pairs = await keys;
  await writeInSystemScope(deps.system, deps.clock.now(), (scope) =>
    claimDomains(deps, scopeOfAccount(scope, accountId), [{ name, pairs }]),
  );
  deps.channel.nudge('config');
}
