// What follows from what DNS said, inside one transaction.
//
// A key:     PENDING ──its record is seen──► CURRENT ──a newer one of its algorithm is──► RETIRED ──may go, and is gone──► (deleted)
// A domain:  unverified ──a key's record is seen, and nobody else holds the name──► verified
//            verified ──none of its current keys is published──► lost ──still so after the grace time──► unverified
//
// CURRENT keys exist only on verified domains. A missing answer (SERVFAIL, timeout) moves nothing. What the operator has
// verified by word is not lost by DNS.
import { deleteDkimKey, listDkimKeys, type PublicDkimKey, updateDkimKey } from '#/db/dkim-keys.ts';
import { listDomainRecords, replaceDomainRecords } from '#/db/domain-records.ts';
import { claimDomainName, type DomainRow, lockDomain, releaseDomainName, updateDomain } from '#/db/domains.ts';
import type { WriteScope } from '#/db/scope.ts';
import { GRACE_MS, nextCheckAt, RETIRED_KEY_MS, WARN_EVERY_MS } from '#/domain/sender-identity/rules.ts';
import type { Observation } from './observe-domain.ts';

export interface Applied {
  readonly domain: DomainRow;
  /** Who may send, or with which keys and return path, is not what it was. */
  readonly changed: boolean;
  /** What the account's owner must be told. */
  readonly warning: { readonly kind: 'lost' | 'unverified'; readonly lostSince: Date } | null;
}

const HELD_ELSEWHERE =
  'The record is right, but another account of this installation holds this domain as verified; it must be removed there first.';

/** Null when the domain is gone. */
export async function applyObservations(
  scope: WriteScope,
  domainId: string,
  observations: readonly Observation[],
): Promise<Applied | null> {
  const found = await lockDomain(scope, domainId);
  if (found === undefined) return null;
  const keys = await listDkimKeys(scope, [domainId]);
  const stateOf = (key: PublicDkimKey) =>
    observations.find(({ record }) => record.key?.id === key.id)?.state ?? 'UNKNOWN';
  const seen = keys.filter((key) => key.state !== 'RETIRED' && stateOf(key) === 'OK');

  const heldElsewhere = found.verifiedAt === null && seen.length > 0 && !(await claimDomainName(scope, found));
  let domain = found;
  if (found.verifiedAt === null && seen.length > 0 && !heldElsewhere) {
    domain = await updateDomain(scope, domainId, { verifiedAt: scope.now, verifiedBy: 'DNS' });
  }
  const activated = domain.verifiedAt !== null && (await activateKeys(scope, keys, seen));
  await forgetRetiredKeys(scope, keys, stateOf);

  const loss = lossOf(domain, keys, stateOf);
  const { changes, warning } = follow(domain, loss, scope.now);
  if (warning?.kind === 'unverified') await unverify(scope, domain, keys);
  const returnPathChanged = await record(scope, domainId, observations, heldElsewhere);
  const condition = {
    waitingSince: waitingSince({ ...domain, ...changes }, keys, seen),
    lost: loss === 'lost',
    unknown: observations.some(({ state }) => state === 'UNKNOWN'),
  };
  domain = await updateDomain(scope, domainId, { ...changes, nextCheckAt: nextCheckAt(scope.now, condition) });
  const verificationChanged = (domain.verifiedAt === null) !== (found.verifiedAt === null);
  return { domain, warning, changed: activated || verificationChanged || returnPathChanged };
}

/** The newest seen key of each algorithm signs from now on. True when one does that did not. */
async function activateKeys(
  scope: WriteScope,
  keys: readonly PublicDkimKey[],
  seen: readonly PublicDkimKey[],
): Promise<boolean> {
  let any = false;
  for (const ofAlgorithm of Map.groupBy(keys, ({ algorithm }) => algorithm).values()) {
    const next = ofAlgorithm.findLast((key) => key.state === 'PENDING' && seen.includes(key));
    if (next === undefined) continue;
    for (const key of ofAlgorithm) if (key.state === 'CURRENT') await retire(scope, key);
    await updateDkimKey(scope, next.id, { state: 'CURRENT', seenAt: scope.now, activatedAt: scope.now });
    any = true;
  }
  return any;
}

/** Its private half is of no more use to anybody. */
async function retire(scope: WriteScope, { id }: PublicDkimKey): Promise<void> {
  await updateDkimKey(scope, id, {
    state: 'RETIRED',
    privateKeyEncrypted: null,
    retiredAt: scope.now,
    removableAt: new Date(scope.now.getTime() + RETIRED_KEY_MS),
  });
}

async function forgetRetiredKeys(
  scope: WriteScope,
  keys: readonly PublicDkimKey[],
  stateOf: (key: PublicDkimKey) => Observation['state'],
): Promise<void> {
  for (const key of keys) {
    if (key.removableAt !== null && key.removableAt <= scope.now && stateOf(key) === 'MISSING') {
      await deleteDkimKey(scope, key.id);
    }
  }
}

type Loss = 'held' | 'lost' | 'unsure';

/** One key that receivers can check is enough. */
function lossOf(
  { verifiedAt, verifiedBy }: DomainRow,
  keys: readonly PublicDkimKey[],
  stateOf: (key: PublicDkimKey) => Observation['state'],
): Loss {
  if (verifiedAt === null || verifiedBy === 'OPERATOR') return 'held';
  const states = keys.filter(({ state }) => state !== 'RETIRED').map(stateOf);
  if (states.includes('OK')) return 'held';
  return states.includes('UNKNOWN') ? 'unsure' : 'lost';
}

function follow(domain: DomainRow, loss: Loss, now: Date) {
  if (loss === 'unsure') return { changes: {}, warning: null };
  if (loss === 'held') return { changes: { lostSince: null, warnedAt: null }, warning: null };
  const lostSince = domain.lostSince ?? now;
  if (now.getTime() - lostSince.getTime() >= GRACE_MS) {
    const changes = { verifiedAt: null, verifiedBy: null, lostSince: null, warnedAt: null };
    return { changes, warning: { kind: 'unverified', lostSince } as const };
  }
  const due = domain.warnedAt === null || now.getTime() - domain.warnedAt.getTime() >= WARN_EVERY_MS;
  const changes = { lostSince, warnedAt: due ? now : domain.warnedAt };
  return { changes, warning: due ? ({ kind: 'lost', lostSince } as const) : null };
}

/** The keys stay, to be seen again; those of a rotation that was under way go. */
async function unverify(scope: WriteScope, domain: DomainRow, keys: readonly PublicDkimKey[]): Promise<void> {
  await releaseDomainName(scope, domain);
  const current = keys.filter(({ state }) => state === 'CURRENT');
  for (const key of keys) {
    if (key.state === 'PENDING' && current.some(({ algorithm }) => algorithm === key.algorithm)) {
      await deleteDkimKey(scope, key.id);
    }
  }
  for (const { id } of current) await updateDkimKey(scope, id, { state: 'PENDING', activatedAt: null });
}

/** True when the return path is in use now and was not, or the other way round. */
async function record(
  scope: WriteScope,
  domainId: string,
  observations: readonly Observation[],
  heldElsewhere: boolean,
): Promise<boolean> {
  const before = await listDomainRecords(scope, [domainId]);
  const rows = observations.map(({ record: { purpose, host, key }, state, found, problem }) => {
    const last = before.find((row) => row.purpose === purpose && row.host === host);
    // A name server that is silent for an hour must not send bounces another way.
    const keeps = purpose === 'RETURN_PATH' && state === 'UNKNOWN' && last?.state === 'OK';
    return {
      purpose: key === null ? purpose : 'DKIM',
      host,
      state: keeps ? ('OK' as const) : state,
      found: keeps ? last.found : [...found],
      problem: heldElsewhere && key !== null && state === 'OK' ? HELD_ELSEWHERE : problem,
      checkedAt: scope.now,
    };
  });
  await replaceDomainRecords(scope, domainId, rows);
  const inUse = (of: readonly { readonly purpose: string; readonly state: string }[]) =>
    of.some(({ purpose, state }) => purpose === 'RETURN_PATH' && state === 'OK');
  return inUse(before) !== inUse(rows);
}

/** Since when somebody may sit there and publish: the oldest key that is neither seen nor given up. */
function waitingSince(
  { verifiedAt }: Pick<DomainRow, 'verifiedAt'>,
  keys: readonly PublicDkimKey[],
  seen: readonly PublicDkimKey[],
): Date | null {
  const waiting = keys.filter((key) => key.state === 'PENDING' && (verifiedAt === null || !seen.includes(key)));
  return waiting.at(-1)?.createdAt ?? null;
}
