// A domain that is verified on the operator's word: its keys sign at once, without having been seen in DNS.
import { insertDkimKey, listDkimKeys, updateDkimKey } from '#/db/dkim-keys.ts';
import { claimDomainName, findDomainByName, insertDomain, updateDomain } from '#/db/domains.ts';
import type { WriteScope } from '#/db/scope.ts';
import type { Ids } from '#/runtime/ports.ts';
import type { NewKey } from './make-keys.ts';

/** False when another account holds the name. `newKeys`: used only where the domain has none. */
export async function verifyOnWord(
  scope: WriteScope,
  ids: Ids,
  name: string,
  newKeys: readonly NewKey[],
): Promise<boolean> {
  await insertDomain(scope, {
    accountId: scope.accountId,
    id: ids.next(),
    name,
    returnPath: null,
    createdAt: scope.now,
    verifiedAt: null,
    verifiedBy: null,
    nextCheckAt: null,
    lostSince: null,
    warnedAt: null,
  });
  const domain = await findDomainByName(scope, name);
  if (domain === undefined) throw new Error(`the domain ${name} is gone while it is verified`);
  if (!(await claimDomainName(scope, domain))) return false;
  const keys = await listDkimKeys(scope, [domain.id]);
  for (const key of newKeys) {
    const ofAlgorithm = keys.filter(({ algorithm, state }) => algorithm === key.algorithm && state !== 'RETIRED');
    const pending = ofAlgorithm.find(({ state }) => state === 'PENDING');
    const activated = { state: 'CURRENT', activatedAt: scope.now } as const;
    if (ofAlgorithm.length === 0) {
      await insertDkimKey(scope, { ...key, ...activated, domainId: domain.id, createdAt: scope.now });
    } else if (pending !== undefined && ofAlgorithm.length === 1) await updateDkimKey(scope, pending.id, activated);
  }
  const verified = { verifiedAt: domain.verifiedAt ?? scope.now, verifiedBy: 'OPERATOR' } as const;
  await updateDomain(scope, domain.id, { ...verified, nextCheckAt: scope.now, lostSince: null, warnedAt: null });
  return true;
}
