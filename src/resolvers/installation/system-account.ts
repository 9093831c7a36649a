// The account in whose name the installation itself sends: made when it first does, never anybody's to sign in to.
import { insertDkimKey } from '#/db/dkim-keys.ts';
import { findDomainByName, hasDomain, insertDomain } from '#/db/domains.ts';
import { findSystemServer, insertAccount, lockInstallation, setSystemServer } from '#/db/installation.ts';
import { scopeOfAccount, type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { insertServer } from '#/db/servers.ts';
import { makeKeys, type KeyDeps } from '../domains/make-keys.ts';
import { insertDefaultStreams } from '../servers/default-streams.ts';

export interface SystemServer {
  readonly accountId: string;
  readonly serverId: string;
}

/** With the domain of the sender among its own; that one must be verified like every other. */
export async function ensureSystemServer(system: SystemScope, deps: KeyDeps, domain: string): Promise<SystemServer> {
  const known = await findSystemServer(system);
  if (known !== null && (await hasDomain(system.db, known.accountId, domain))) return known;
  const accountId = known?.accountId ?? deps.ids.next();
  const keys = await makeKeys(deps, accountId);
  return writeInSystemScope(system, deps.clock.now(), async (writing) => {
    await lockInstallation(writing);
    const now = await findSystemServer(writing);
    // Another process was faster; its account has what it needs, or gets it with the next mail.
    if (now !== null && now.accountId !== accountId) return now;
    const scope = scopeOfAccount(writing, accountId);
    const serverId = now?.serverId ?? deps.ids.next();
    if (now === null) {
      await insertAccount(writing, { id: accountId, name: 'Veredus' });
      await insertServer(scope, {
        accountId,
        id: serverId,
        name: 'System',
        color: 'GREY',
        deliveryType: 'LIVE',
        trackOpens: false,
        trackLinks: 'NONE',
        createdAt: scope.now,
        deletedAt: null,
        domainsLimited: false,
      });
      await insertDefaultStreams(scope, deps.ids, serverId);
      await setSystemServer(writing, accountId, serverId);
    }
    if ((await findDomainByName(scope, domain)) === undefined) {
      const id = deps.ids.next();
      await insertDomain(scope, {
        accountId,
        id,
        name: domain,
        returnPath: null,
        createdAt: scope.now,
        verifiedAt: null,
        verifiedBy: null,
        nextCheckAt: scope.now,
        lostSince: null,
        warnedAt: null,
      });
      for (const key of keys) await insertDkimKey(scope, { ...key, domainId: id, createdAt: scope.now });
    }
    return { accountId, serverId };
  });
}
