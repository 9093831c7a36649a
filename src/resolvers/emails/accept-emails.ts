// Acceptance, inside the transaction: replays what an idempotency key has answered before, leaves out suppressed
// recipients, and writes messages, content, recipients, queue rows and events, each kind in one statement for all
// emails of the group.
import { enqueue, lanes, type NewQueuedRecipient, readFront } from '#/db/delivery-queue.ts';
import { claimIdempotencyKeys, findIdempotencyKeys, type IdempotencyClaim } from '#/db/idempotency-keys.ts';
import { findMessages, insertContents, insertMessages, type MessageRow } from '#/db/messages.ts';
import { insertRecipients, type RecipientRow } from '#/db/recipients.ts';
import type { WriteScope } from '#/db/scope.ts';
import { findSuppressions } from '#/db/suppressions.ts';
import { deliverBy } from '#/domain/delivery/lifetime.ts';
import { Turns } from '#/domain/delivery/turns.ts';
import {
  AllRecipientsSuppressed,
  type ExpectedError,
  IdempotencyConflict,
  SendingPaused,
  type SuppressionReason,
} from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { bucketAt, expiryOf } from '#/domain/retention.ts';
import { addressHash } from '#/domain/suppression.ts';
import { append } from '#/events/append.ts';
import type { NewEvent } from '#/events/catalogue.ts';
import type { Inside } from '../define.ts';
import type { PreparedEmail } from './prepare-email.ts';

type Outcome = MessageRow | ExpectedError;

interface Candidate {
  readonly prepared: PreparedEmail;
  readonly message: MessageRow;
  readonly suppressed: ReadonlyMap<string, SuppressionReason>;
}

export async function acceptEmails(
  scope: WriteScope,
  inside: Inside,
  group: readonly PreparedEmail[],
): Promise<readonly Outcome[]> {
  const outcomes = new Map<PreparedEmail, Outcome>();
  const { first, repeated } = partByKey(group);
  // Two turns to the database: what must be known, and then all that is written.
  const [fresh, suppressions, front] = await Promise.all([
    answerHeldKeys(scope, first, outcomes),
    listSuppressed(scope, first),
    readFront(scope),
  ]);
  const sendable = refusePaused(fresh, outcomes);
  const accepted = leaveOutSuppressed(scope, inside, sendable, suppressions, outcomes);
  await Promise.all([claimKeys(scope, accepted), store(scope, inside, accepted, front)]);
  for (const { prepared, message } of accepted) outcomes.set(prepared, message);
  for (const [later, earlier] of repeated) outcomes.set(later, answerAgain(later, earlier, outcomes.get(earlier)));
  return group.map((prepared) => {
    const outcome = outcomes.get(prepared);
    if (outcome === undefined) throw new Error('an email of the group was left without an outcome');
    return outcome;
  });
}

const keyOf = ({ server, email }: PreparedEmail) =>
  email.idempotencyKey === null ? null : `${server.id}/${email.idempotencyKey}`;

/** A key that comes twice in one group: the later ones wait for the first one's answer. */
function partByKey(group: readonly PreparedEmail[]) {
  const seen = new Map<string, PreparedEmail>();
  const first: PreparedEmail[] = [];
  const repeated = new Map<PreparedEmail, PreparedEmail>();
  for (const prepared of group) {
    const key = keyOf(prepared);
    const earlier = key === null ? undefined : seen.get(key);
    if (earlier !== undefined) {
      repeated.set(prepared, earlier);
      continue;
    }
    if (key !== null) seen.set(key, prepared);
    first.push(prepared);
  }
  return { first, repeated };
}

function answerAgain(later: PreparedEmail, earlier: PreparedEmail, outcome: Outcome | undefined): Outcome {
  const same = later.requestHash !== null && earlier.requestHash?.equals(later.requestHash) === true;
  return same && outcome !== undefined ? outcome : new IdempotencyConflict();
}

/** Settles those whose key is held; answers the rest. */
async function answerHeldKeys(
  scope: WriteScope,
  group: readonly PreparedEmail[],
  outcomes: Map<PreparedEmail, Outcome>,
): Promise<readonly PreparedEmail[]> {
  const wanted = group.flatMap(({ server, email }) =>
    email.idempotencyKey === null ? [] : [{ serverId: server.id, key: email.idempotencyKey }],
  );
  const held = new Map(
    (await findIdempotencyKeys(scope, wanted)).map((claim) => [`${claim.serverId}/${claim.key}`, claim]),
  );
  if (held.size === 0) return group;
  const messages = new Map(
    (
      await findMessages(
        scope,
        [...held.values()].map(({ messageId }) => messageId),
        scope.now,
      )
    ).map((row) => [row.id, row]),
  );
  return group.filter((prepared) => {
    const claim = held.get(keyOf(prepared) ?? '');
    if (claim === undefined) return true;
    const message = messages.get(claim.messageId);
    const same = prepared.requestHash !== null && claim.requestHash.equals(prepared.requestHash);
    outcomes.set(prepared, same && message !== undefined ? message : new IdempotencyConflict());
    return false;
  });
}

function refusePaused(
  group: readonly PreparedEmail[],
  outcomes: Map<PreparedEmail, Outcome>,
): readonly PreparedEmail[] {
  return group.filter((prepared) => {
    if (prepared.pause !== null) outcomes.set(prepared, new SendingPaused(prepared.pause));
    return prepared.pause === null;
  });
}

type Suppressions = ReadonlyMap<string, SuppressionReason>;

async function listSuppressed(scope: WriteScope, group: readonly PreparedEmail[]): Promise<Suppressions> {
  const keys = group.flatMap(({ stream, email }) =>
    email.recipients.map(({ mailbox }) => ({ streamId: stream.id, hash: addressHash(mailbox.key) })),
  );
  const found = await findSuppressions(scope, keys);
  return new Map(found.map(({ streamId, hash, reason }) => [`${streamId}${hash.toString('hex')}`, reason]));
}

function leaveOutSuppressed(
  scope: WriteScope,
  inside: Inside,
  group: readonly PreparedEmail[],
  found: Suppressions,
  outcomes: Map<PreparedEmail, Outcome>,
): readonly Candidate[] {
  const candidates: Candidate[] = [];
  for (const prepared of group) {
    const suppressed = new Map<string, SuppressionReason>();
    if (found.size > 0) {
      for (const { mailbox } of prepared.email.recipients) {
        const reason = found.get(`${prepared.stream.id}${addressHash(mailbox.key).toString('hex')}`);
        if (reason !== undefined) suppressed.set(mailbox.address, reason);
      }
    }
    if (suppressed.size > 0 && suppressed.size === prepared.email.recipients.length) {
      const recipients = [...suppressed].map(([address, reason]) => ({ address, reason }));
      outcomes.set(prepared, new AllRecipientsSuppressed(recipients));
    } else candidates.push({ prepared, suppressed, message: messageOf(scope, inside, prepared) });
  }
  return candidates;
}

/** A key that another transaction claimed since we looked: everything is undone and done again, and then finds it held. */
class KeyTakenMeanwhile extends Error {
  /** serialization_failure: the wrapper repeats the transaction. */
  readonly code = '40001';
}

async function claimKeys(scope: WriteScope, candidates: readonly Candidate[]): Promise<void> {
  const claims: IdempotencyClaim[] = candidates.flatMap(({ prepared: { server, email, requestHash }, message }) =>
    email.idempotencyKey === null || requestHash === null
      ? []
      : [{ serverId: server.id, key: email.idempotencyKey, requestHash, messageId: message.id }],
  );
  const got = await claimIdempotencyKeys(scope, claims);
  if (got.size !== claims.length) throw new KeyTakenMeanwhile('an idempotency key was claimed meanwhile');
}

function messageOf(scope: WriteScope, inside: Inside, prepared: PreparedEmail): MessageRow {
  const { server, stream, email, retentionDays } = prepared;
  const bucket = bucketAt(scope.now, retentionDays);
  const id = inside.ids.nextInBucket(bucket);
  const hasMetadata = Object.keys(email.metadata).length > 0;
  return {
    bucket,
    accountId: scope.accountId,
    id,
    serverId: server.id,
    streamId: stream.id,
    fromAddress: email.from.address,
    fromKey: email.from.key,
    subject: email.subject,
    tag: email.tag,
    metadata: hasMetadata ? { ...email.metadata } : null,
    acceptedAt: scope.now,
    sendAt: email.sendAt,
    deliverBy: deliverBy(stream.kind, stream.lifetimeMinutes, email.sendAt ?? scope.now, email.expiresAt),
    expiresAt: expiryOf(scope.now, retentionDays),
    messageIdHeader: email.messageId ?? `<${encodeId('message', id)}@${email.from.domain}>`,
    attachments:
      email.attachments.length === 0
        ? null
        : email.attachments.map(({ name, contentType, size }) => ({ name, contentType, size })),
    size: email.estimatedSize,
    sandboxed: server.deliveryType === 'SANDBOX',
  };
}

/** Of this process; a transaction that fails leaves gaps, which harm nobody. */
const turns = new Turns();

async function store(scope: WriteScope, inside: Inside, accepted: readonly Candidate[], front: number): Promise<void> {
  if (accepted.length === 0) return;
  const recipients: RecipientRow[] = [];
  const queued: NewQueuedRecipient[] = [];
  const events: NewEvent[] = [];
  for (const candidate of accepted) {
    const { prepared, message, suppressed } = candidate;
    const scheduled = message.sendAt !== null && message.sendAt > scope.now;
    prepared.email.recipients.forEach(({ kind, mailbox }, ordinal) => {
      const reason = suppressed.get(mailbox.address);
      const { bucket, accountId, serverId, streamId, id: messageId, tag, metadata } = message;
      const about = { accountId, serverId, streamId, messageId, recipient: mailbox.address, tag, metadata };
      recipients.push({
        bucket,
        accountId,
        messageId,
        ordinal,
        serverId,
        kind,
        status: reason !== undefined ? 'SUPPRESSED' : scheduled ? 'SCHEDULED' : 'QUEUED',
        address: mailbox.address,
        addressKey: mailbox.key,
        settledAt: reason === undefined ? null : scope.now,
      });
      events.push({ ...about, id: inside.ids.next(), type: 'ACCEPTED', data: null });
      if (reason !== undefined) {
        events.push({ ...about, id: inside.ids.next(), type: 'SUPPRESSED', data: { reason } });
        return;
      }
      queued.push({
        accountId,
        messageId,
        ordinal,
        bucket,
        serverId,
        streamId,
        lane: lanes[prepared.stream.kind],
        sandboxed: message.sandboxed,
        address: mailbox.address,
        domain: mailbox.domain,
        dueAt: message.sendAt ?? scope.now,
        deliverBy: message.deliverBy,
        ready: !scheduled,
        turn: scheduled ? 0 : turns.next(accountId, streamId, prepared.stream.kind, front),
      });
    });
  }
  const messages = accepted.map(({ message }) => message);
  const contents = accepted.map(({ message, prepared }) => ({ messageId: message.id, body: prepared.content }));
  // None needs another's answer: they leave together.
  await Promise.all([
    insertMessages(scope, messages),
    insertContents(scope, contents),
    insertRecipients(scope, recipients),
    enqueue(scope, queued),
    append(scope, events),
  ]);
}
