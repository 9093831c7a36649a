// Looks at the DNS records of domains when it is time. Each due domain is taken by one node: its next check is put off in
// the same statement, so that it comes again by itself if that node dies.
import { listDkimKeys } from '#/db/dkim-keys.ts';
import { claimDueDomains, type DueDomain, findDomain } from '#/db/domains.ts';
import { scopeOfAccount, type SystemScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { applyObservations } from '#/resolvers/domains/apply-observations.ts';
import { observeDomain } from '#/resolvers/domains/observe-domain.ts';
import { warnOwners } from '#/resolvers/domains/warn-owners.ts';

/** Domains that a node asks about at once: some ten queries each, most of them answered in milliseconds. */
const AT_ONCE = 10;
const LOOK_EVERY_MS = 10_000;
/** Far above what the queries of one domain may take: three tries of up to six seconds, for a chain of names. */
const LEASE_MS = 10 * 60_000;

interface CheckDeps {
  readonly system: SystemScope;
  readonly deps: Deps;
  /** Settles when the process ends: nobody waits for name servers then, and the domains come again by themselves. */
  readonly stopped?: Promise<null>;
}

export function startDomainChecks({ system, deps }: CheckDeps): AsyncDisposable {
  const { clock, log } = deps;
  const stopping = new AbortController();
  const stopped = new Promise<null>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const done = await checkDueDomains({ system, deps, stopped }).catch((error: unknown) => {
        log.error({ error }, 'the checks of domains failed; they are tried again');
        return 0;
      });
      if (done < AT_ONCE) await clock.sleep(LOOK_EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** How many were due, at most AT_ONCE. */
export async function checkDueDomains(check: CheckDeps): Promise<number> {
  const { system, deps } = check;
  const now = deps.clock.now();
  const due = await claimDueDomains(system, now, new Date(now.getTime() + LEASE_MS), AT_ONCE);
  await Promise.all(
    due.map((domain) =>
      checkDomain(check, domain).catch((error: unknown) =>
        deps.log.error(
          { error, domainId: encodeId('domain', domain.id) },
          'the check of a domain failed; it is tried again',
        ),
      ),
    ),
  );
  return due.length;
}

async function checkDomain({ system, deps, stopped }: CheckDeps, { accountId, id }: DueDomain): Promise<void> {
  const found = await writeInSystemScope(system, deps.clock.now(), async (scope) => {
    const account = scopeOfAccount(scope, accountId);
    const domain = await findDomain(account, id);
    return domain === undefined ? null : { domain, keys: await listDkimKeys(account, [id]) };
  });
  if (found === null) return;
  const observing = observeDomain(deps, found.domain, found.keys);
  const observations = await (stopped === undefined ? observing : Promise.race([observing, stopped]));
  if (observations === null) return;
  const applied = await writeInSystemScope(system, deps.clock.now(), (scope) =>
    applyObservations(scopeOfAccount(scope, accountId), id, observations),
  );
  if (applied === null) return;
  if (applied.changed) deps.channel.nudge('config');
  await warnOwners(deps, applied);
}
