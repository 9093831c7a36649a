// Records outcomes: attempts, statuses, queue, bounces, suppressions and events of many recipients in one transaction.
import { type BounceRow, insertBounces } from '#/db/bounces.ts';
import {
  type AttemptResult,
  closeLostAttempts,
  recordAttempts,
  type StatusChange,
  updateStatuses,
} from '#/db/delivery-attempts.ts';
import { type ClaimedRecipient, dequeue, requeue } from '#/db/delivery-queue.ts';
import type { MessageRow } from '#/db/messages.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { insertSuppressions, type NewSuppression } from '#/db/suppressions.ts';
import { addressHash, keyOfAddress } from '#/domain/suppression.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import type { Ids } from '#/runtime/ports.ts';
import type { Decision } from './decision.ts';

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
  settlements: readonly Settlement[],
): Promise<void> {
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
  const again = settlements.flatMap(({ claim, decision }) =>
    decision.status === 'DELAYED' || decision.status === 'RETURNED'
      ? [{ ...claim, dueAt: decision.dueAt, attempted: decision.status === 'DELAYED' }]
      : [],
  );
  const ended = settlements.flatMap(({ claim, decision }) =>
    decision.status === 'DELAYED' || decision.status === 'RETURNED' ? [] : [claim],
  );
  const [requeued, gone] = await Promise.all([requeue(scope, owner, again), dequeue(scope, owner, ended)]);
  return settlements.filter(({ claim }) => {
    const key = `${claim.messageId}/${claim.ordinal}`;
    return requeued.has(key) || gone.has(key);
  });
}

function statusChange({ claim, decision }: Settlement): StatusChange[] {
  if (decision.status === 'RETURNED') return [];
  return [{ accountId: claim.accountId, messageId: claim.messageId, ordinal: claim.ordinal, status: decision.status }];
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
  } else if (decision.status === 'IN_DOUBT') events.push({ ...about(), type: 'IN_DOUBT', data: { remoteHost } });
  else if (decision.status === 'EXPIRED') events.push({ ...about(), type: 'EXPIRED', data: null });
  if (bounce !== undefined) {
    const type = bounce.type === 'SPAM_COMPLAINT' ? 'SPAM_COMPLAINT' : 'BOUNCED';
    events.push({ ...about(), type, data: { bounceId: bounce.id } });
  }
  if (suppression !== undefined) {
    const { reason, origin } = suppression;
    events.push({ ...about(), type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason, origin } });
  }
  return events;
}
