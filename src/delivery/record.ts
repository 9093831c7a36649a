// Records outcomes: attempts, statuses, queue, bounces, suppressions and events of many recipients in one transaction.
import { type BounceRow, insertBounces } from '#/db/bounces.ts';
import {
  type AttemptResult,
  closeLostAttempts,
  recordAttempts,
  type StatusChange,
  updateStatuses,
} from '#/db/delivery-attempts.ts';
import { type ClaimedRecipient, dequeue, type Requeued, requeue } from '#/db/delivery-queue.ts';
import { listInDoubtPolicies } from '#/db/in-doubt-policies.ts';
import type { MessageRow } from '#/db/messages.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { insertSuppressions, type NewSuppression } from '#/db/suppressions.ts';
import { mayRetryDoubt } from '#/domain/delivery/states.ts';
import { addressHash, keyOfAddress } from '#/domain/suppression.ts';
import { append } from '#/events/append.ts';
import { type NewEvent, tellBounce } from '#/events/catalogue.ts';
import type { Ids } from '#/runtime/ports.ts';
import type { Decision } from './decision.ts';
import { underPauses } from './parking.ts';

export interface Settlement {
  readonly claim: ClaimedRecipient;
  readonly message: MessageRow;
  /** Null when no attempt was made. */
  readonly attempt: AttemptResult | null;
  /** The attempt of a dead worker that this one ends. */
  readonly lost: { readonly id: string; readonly outcome: 'LOST' | 'IN_DOUBT' } | null;
  readonly decision: Decision;
}

export async function recordSettlements(
  scope: SystemWriteScope,
  ids: Ids,
  owner: string,
  decided: readonly Settlement[],
): Promise<void> {
  const settlements = await underPauses(scope, await underPolicy(scope, decided));
  // What does not need another's answer leaves together (src/db/client.ts).
  const [settled] = await Promise.all([
    releaseQueue(scope, owner, settlements),
    recordAttempts(scope, settlements.flatMap(madeAttempt)),
    closeLostAttempts(scope, settlements.flatMap(lostAttempt)),
  ]);
  const bounces = new Map(settled.flatMap((settlement) => bounceOf(scope, ids, settlement)));
  const suppressions = settled.flatMap((settlement) => suppressionOf(ids, settlement, bounces.get(settlement)));
  const statuses = updateStatuses(scope, settled.flatMap(statusChange));
  const [added] = await Promise.all([
    insertSuppressions(
      scope,
      suppressions.map(({ row }) => row),
    ),
    statuses,
  ]);
  const byCause = new Map(suppressions.filter(({ row }) => added.has(row.id)).map(({ by, row }) => [by, row]));
  await Promise.all([
    insertBounces(
      scope,
      [...bounces].map(([by, bounce]) => ({ ...bounce, suppressionId: byCause.get(by)?.id ?? null })),
    ),
    append(
      scope,
      settled.flatMap((one) => eventsOf(ids, one, bounces.get(one), byCause.get(one))),
    ),
  ]);
}

function madeAttempt({ attempt }: Settlement): AttemptResult[] {
  return attempt === null ? [] : [attempt];
}

function lostAttempt({ claim, lost }: Settlement) {
  const { accountId, messageId, ordinal } = claim;
  return lost === null ? [] : [{ accountId, messageId, ordinal, ...lost }];
}

/** What still was this owner's counts; another worker that took the row over speaks for the rest. */
async function releaseQueue(
  scope: SystemWriteScope,
  owner: string,
  settlements: readonly Settlement[],
): Promise<Settlement[]> {
  const again = settlements.flatMap(({ claim, decision }): Requeued[] => {
    const dueAt = dueAgain(decision);
    const { status } = decision;
    const parked = status === 'RETURNED' && decision.parked === true;
    const heldAt = (status === 'RETURNED' ? decision.heldAt : null) ?? null;
    return dueAt === null
      ? []
      : [{ ...claim, dueAt, attempted: status !== 'RETURNED', doubted: status === 'IN_DOUBT', parked, heldAt }];
  });
  const ended = settlements.flatMap(({ claim, decision }) => (dueAgain(decision) === null ? [claim] : []));
  const [requeued, gone] = await Promise.all([requeue(scope, owner, again), dequeue(scope, owner, ended)]);
  return settlements.filter(({ claim }) => {
    const key = `${claim.messageId}/${claim.ordinal}`;
    return requeued.has(key) || gone.has(key);
  });
}

/** Null: the decision is final. */
function dueAgain(decision: Decision): Date | null {
  if (decision.status === 'IN_DOUBT') return decision.retryAt;
  return decision.status === 'DELAYED' || decision.status === 'RETURNED' ? decision.dueAt : null;
}

/** Whether what is in doubt may be sent again is for its stream to say, as it is set now. */
async function underPolicy(scope: SystemWriteScope, settlements: readonly Settlement[]): Promise<Settlement[]> {
  const asking = settlements.filter(({ decision }) => decision.status === 'IN_DOUBT' && decision.retryAt !== null);
  if (asking.length === 0) return [...settlements];
  const policies = await listInDoubtPolicies(
    scope,
    asking.map(({ claim }) => claim),
  );
  return settlements.map((settlement) => {
    const { claim, decision } = settlement;
    if (decision.status !== 'IN_DOUBT' || decision.retryAt === null) return settlement;
    // A stream that is gone can no longer ask for a second copy.
    const policy = policies.get(claim.streamId) ?? 'NEVER_TWICE';
    return mayRetryDoubt(policy, claim.doubts + 1)
      ? settlement
      : { ...settlement, decision: { ...decision, retryAt: null } };
  });
}

function statusChange({ claim, decision }: Settlement): StatusChange[] {
  if (decision.status === 'RETURNED') return [];
  const { accountId, messageId, ordinal } = claim;
  const status = dueAgain(decision) === null ? decision.status : 'DELAYED';
  return [{ accountId, messageId, ordinal, status }];
}

function bounceOf(scope: SystemWriteScope, ids: Ids, settlement: Settlement): [Settlement, BounceRow][] {
  const { claim, message, decision } = settlement;
  const complaint = decision.status === 'DELIVERED' && decision.aftermath?.kind === 'complaint';
  if (decision.status !== 'BOUNCED' && !complaint) return [];
  const row: BounceRow = {
    bucket: message.bucket,
    accountId: claim.accountId,
    id: ids.nextInBucket(message.bucket),
    serverId: claim.serverId,
    streamId: claim.streamId,
    messageId: claim.messageId,
    ordinal: claim.ordinal,
    type: decision.status === 'BOUNCED' ? decision.type : 'SPAM_COMPLAINT',
    address: claim.address,
    addressKey: keyOfAddress(claim.address),
    tag: message.tag,
    occurredAt: scope.now,
    smtpCode: decision.status === 'BOUNCED' ? decision.smtpCode : null,
    enhancedCode: decision.status === 'BOUNCED' ? decision.enhancedCode : null,
    details: decision.status === 'BOUNCED' ? decision.details : 'The recipient marked the message as spam.',
    suppressionId: null,
  };
  return [[settlement, row]];
}

function suppressionOf(
  ids: Ids,
  settlement: Settlement,
  bounce: BounceRow | undefined,
): { readonly by: Settlement; readonly row: NewSuppression }[] {
  const { claim, decision } = settlement;
  const reason =
    decision.status === 'BOUNCED' && decision.condemns
      ? 'HARD_BOUNCE'
      : bounce?.type === 'SPAM_COMPLAINT'
        ? 'SPAM_COMPLAINT'
        : decision.status === 'DELIVERED' && decision.aftermath?.kind === 'unsubscribe'
          ? 'UNSUBSCRIBE'
          : null;
  if (reason === null) return [];
  const { accountId, streamId, address } = claim;
  const hash = addressHash(keyOfAddress(address));
  return [{ by: settlement, row: { accountId, streamId, hash, id: ids.next(), address, reason, origin: 'RECIPIENT' } }];
}

function eventsOf(
  ids: Ids,
  { claim, message, attempt, decision }: Settlement,
  bounce: BounceRow | undefined,
  suppression: NewSuppression | undefined,
): NewEvent[] {
  const { accountId, serverId, streamId, messageId, address: recipient } = claim;
  const { tag, metadata } = message;
  const about = () => ({ accountId, serverId, streamId, messageId, recipient, tag, metadata, id: ids.next() });
  const remoteHost = attempt?.remoteHost ?? null;
  const events: NewEvent[] = [];
  if (decision.status === 'DELIVERED') {
    events.push({ ...about(), type: 'DELIVERED', data: { remoteHost, response: decision.response } });
    const reader = { first: true, machine: false, userAgent: null };
    if (decision.aftermath?.kind === 'open') events.push({ ...about(), type: 'OPENED', data: reader });
    if (decision.aftermath?.kind === 'click') {
      const { url } = decision.aftermath;
      events.push({ ...about(), type: 'CLICKED', data: { ...reader, url, location: 'HTML' } });
    }
  } else if (decision.status === 'DELAYED') {
    const { smtpCode, response, dueAt } = decision;
    if (decision.told)
      events.push({ ...about(), type: 'DELAYED', data: { smtpCode, response, nextAttemptAt: dueAt.toISOString() } });
  } else if (decision.status === 'IN_DOUBT') {
    const nextAttemptAt = decision.retryAt?.toISOString() ?? null;
    events.push({ ...about(), type: 'IN_DOUBT', data: { remoteHost, nextAttemptAt } });
  } else if (decision.status === 'EXPIRED') events.push({ ...about(), type: 'EXPIRED', data: null });
  if (bounce !== undefined) {
    events.push({ ...about(), ...tellBounce(bounce.id, bounce.type, true) });
  }
  if (suppression !== undefined) {
    const { reason, origin } = suppression;
    events.push({ ...about(), type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason, origin } });
  }
  return events;
}
