// The queue: one row for each recipient that is still open, gone with its final state. What waits for a time (scheduled,
// to be tried again, or under a lease, which ends at that time) is promoted when the time has come; what is ready is
// claimed by turns, in batches under a lease. States: src/domain/delivery/states.ts; turns: src/domain/delivery/turns.ts.
import { type Selectable, sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import { turnCosts } from '#/domain/delivery/turns.ts';
import type { SystemWriteScope, WriteScope } from './scope.ts';
import type { DeliveryQueueTable } from './tables.gen.ts';
import { array } from './arrays.ts';

export type QueuedRecipient = Selectable<DeliveryQueueTable>;
export type NewQueuedRecipient = Pick<
  QueuedRecipient,
  | 'accountId'
  | 'messageId'
  | 'ordinal'
  | 'bucket'
  | 'serverId'
  | 'streamId'
  | 'lane'
  | 'sandboxed'
  | 'address'
  | 'domain'
  | 'dueAt'
  | 'deliverBy'
  | 'ready'
  | 'turn'
>;

export const lanes = { TRANSACTIONAL: 0, BROADCAST: 1 } as const;

const spec: InsertSpec<NewQueuedRecipient> = {
  table: 'delivery_queue',
  columns: {
    accountId: 'uuid',
    messageId: 'uuid',
    ordinal: 'smallint',
    bucket: 'int',
    serverId: 'uuid',
    streamId: 'uuid',
    lane: 'smallint',
    sandboxed: 'bool',
    address: 'text',
    domain: 'text',
    dueAt: 'timestamptz',
    deliverBy: 'timestamptz',
    ready: 'bool',
    turn: 'int8',
  },
};

export function enqueue(scope: WriteScope, rows: readonly NewQueuedRecipient[]): Promise<void> {
  return insertAll(scope.tx, spec, rows);
}

export interface ClaimedRecipient {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly serverId: string;
  readonly streamId: string;
  readonly sandboxed: boolean;
  readonly address: string;
  readonly domain: string;
  readonly deliverBy: Date;
  /** Attempts before this one. */
  readonly attempts: number;
  /** Those of them after which nobody knows whether the mail arrived. */
  readonly doubts: number;
  readonly firstFailedAt: Date | null;
  /** The attempt of a worker whose lease ran out; null where there was none. */
  readonly lostAttemptId: string | null;
  /** That attempt may have written the final dot. */
  readonly lostAfterContent: boolean;
}

/** The head of the line, behind which turns are drawn: the highest turn that was ever claimed. */
export async function readFront(scope: WriteScope): Promise<number> {
  const { rows } = await sql<{ front: number }>`select last_value as front from delivery_front`.execute(scope.tx);
  return rows[0]?.front ?? 0;
}

/**
 * Lets what waited for its time stand in line: what was scheduled or deferred, and what a dead worker held. Answers how
 * many; rows that another worker is taking are passed over. Those of one account stand behind each other.
 */
export async function promoteDue(scope: SystemWriteScope, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    with due as materialized (
      select account_id, message_id, ordinal, lane, due_at from delivery_queue
      where not ready and due_at <= ${scope.now} order by due_at limit ${limit} for update skip locked),
    placed as materialized (
      select account_id, message_id, ordinal, (select last_value from delivery_front) + place
        * case lane when ${lanes.TRANSACTIONAL} then ${turnCosts.TRANSACTIONAL}::int else ${turnCosts.BROADCAST}::int end as turn
      from (select *, row_number() over (partition by account_id, lane order by due_at) as place from due) as numbered)
    update delivery_queue q set ready = true, turn = placed.turn, parked = false, held = null
    from placed
    where q.account_id = placed.account_id and q.message_id = placed.message_id and q.ordinal = placed.ordinal`.execute(
    scope.tx,
  );
  return Number(numAffectedRows ?? 0n);
}

/** How far behind the front a claim looks for those who are not passed over. */
const CLAIM_WINDOW = 5_000;

/**
 * Takes those whose turn it is; rows that another worker is taking are passed over, and so are `passOver`'s accounts. The
 * claim moves due_at to the end of the lease, and leaves what it finds of a dead worker's attempt as it is: only
 * `startAttempts` or the final state takes that away, so that a second death in between forgets nothing. Time is the
 * caller's: nodes whose clocks differ by less than the lease agree well enough.
 */
export async function claimReady(
  scope: SystemWriteScope,
  options: {
    readonly owner: string;
    readonly limit: number;
    readonly leaseMs: number;
    readonly passOver?: readonly string[];
  },
): Promise<ClaimedRecipient[]> {
  const leaseEnd = new Date(scope.now.getTime() + options.leaseMs);
  const passOver = options.passOver ?? [];
  const { rows } = await sql<ClaimedRecipient>`
    with ${passOver.length === 0 ? firstInLine(options.limit) : firstOfOthers(passOver, options.limit)},
    front as (
      select setval('delivery_front', greatest((select max(turn) from next), (select last_value from delivery_front))) as moved)
    update delivery_queue q
    set ready = false, due_at = ${leaseEnd}, lease_owner = ${options.owner}::uuid
    from next
    where q.account_id = next.account_id and q.message_id = next.message_id and q.ordinal = next.ordinal
    returning q.account_id, q.message_id, q.ordinal, q.server_id, q.stream_id, q.sandboxed, q.address, q.domain, q.deliver_by,
      q.attempts, q.doubts, q.first_failed_at, q.attempt_id as lost_attempt_id, q.content_sent as lost_after_content, (select moved from front)`.execute(
    scope.tx,
  );
  return rows;
}

const firstInLine = (limit: number) => sql`
    next as materialized (
      select account_id, message_id, ordinal, turn from delivery_queue
      where ready order by turn limit ${limit} for update skip locked)`;

/** Never further than the window: those passed over may have a million rows waiting. */
const firstOfOthers = (passOver: readonly string[], limit: number) => sql`
    near as materialized (
      select account_id, message_id, ordinal, turn from delivery_queue where ready order by turn limit ${CLAIM_WINDOW}),
    next as materialized (
      select q.account_id, q.message_id, q.ordinal, q.turn
      from (select * from near where account_id <> all(${array('uuid', passOver)}) order by turn) as others
        join delivery_queue q using (account_id, message_id, ordinal)
      where q.ready order by others.turn limit ${limit} for update of q skip locked)`;

interface RecipientKey {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
}

const keyArrays = (keys: readonly RecipientKey[]) => ({
  accounts: keys.map(({ accountId }) => accountId),
  messages: keys.map(({ messageId }) => messageId),
  ordinals: keys.map(({ ordinal }) => ordinal),
});

/** Binds each leased row to the attempt about to be dialled; what was left of a lost one is closed by its settlement. */
export async function startAttempts(
  scope: SystemWriteScope,
  owner: string,
  attempts: readonly (RecipientKey & { readonly attemptId: string })[],
): Promise<void> {
  const { accounts, messages, ordinals } = keyArrays(attempts);
  await sql`
    update delivery_queue q set attempt_id = k.attempt_id, content_sent = false
    from unnest(${array('uuid', accounts)}, ${array('uuid', messages)}, ${array('smallint', ordinals)}, ${array(
      'uuid',
      attempts.map(({ attemptId }) => attemptId),
    )})
      as k (account_id, message_id, ordinal, attempt_id)
    where q.account_id = k.account_id and q.message_id = k.message_id and q.ordinal = k.ordinal
      and q.lease_owner = ${owner}::uuid`.execute(scope.tx);
}

/**
 * Says durably that the final dot may follow. Answers the attempts whose lease still holds: the others must not write
 * the dot, for another worker has them.
 */
export async function markContentSent(
  scope: SystemWriteScope,
  owner: string,
  marks: readonly (RecipientKey & { readonly attemptId: string })[],
): Promise<Set<string>> {
  const { accounts, messages, ordinals } = keyArrays(marks);
  const { rows } = await sql<{ attemptId: string }>`
    update delivery_queue q set content_sent = true
    from unnest(${array('uuid', accounts)}, ${array('uuid', messages)}, ${array('smallint', ordinals)}, ${array(
      'uuid',
      marks.map(({ attemptId }) => attemptId),
    )})
      as k (account_id, message_id, ordinal, attempt_id)
    where q.account_id = k.account_id and q.message_id = k.message_id and q.ordinal = k.ordinal
      and q.lease_owner = ${owner}::uuid and q.attempt_id = k.attempt_id and q.due_at > ${scope.now}
    returning q.attempt_id`.execute(scope.tx);
  return new Set(rows.map(({ attemptId }) => attemptId));
}

const keyText = ({ messageId, ordinal }: { readonly messageId: string; readonly ordinal: number }) =>
  `${messageId}/${ordinal}`;

/**
 * Removes the rows of recipients that reached a final state. Answers those that were still this owner's, as
 * `messageId/ordinal`: what became of the others is for their new owner to say.
 */
export async function dequeue(
  scope: SystemWriteScope,
  owner: string,
  keys: readonly RecipientKey[],
): Promise<Set<string>> {
  if (keys.length === 0) return new Set();
  const { accounts, messages, ordinals } = keyArrays(keys);
  const { rows } = await sql<{ messageId: string; ordinal: number }>`
    delete from delivery_queue q
    using unnest(${array('uuid', accounts)}, ${array('uuid', messages)}, ${array('smallint', ordinals)}) as k (account_id, message_id, ordinal)
    where q.account_id = k.account_id and q.message_id = k.message_id and q.ordinal = k.ordinal
      and q.lease_owner = ${owner}::uuid
    returning q.message_id, q.ordinal`.execute(scope.tx);
  return new Set(rows.map(keyText));
}

export interface Requeued extends RecipientKey {
  readonly dueAt: Date;
  readonly attempted: boolean;
  readonly doubted: boolean;
  /** Waits for the end of a pause (parked-mail.ts). */
  readonly parked: boolean;
  /** Site that takes no more of it for a while (held-mail.ts); null: whatever else it waits for. */
  readonly heldAt: string | null;
}

/** Gives rows back, due again at their time, without a lease. Answers as `dequeue` does. */
export async function requeue(scope: SystemWriteScope, owner: string, rows: readonly Requeued[]): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const { accounts, messages, ordinals } = keyArrays(rows);
  const result = await sql<{ messageId: string; ordinal: number }>`
    update delivery_queue q
    set due_at = k.due_at, ready = false, parked = k.parked, held = hashtext(k.held_at), lease_owner = null, attempt_id = null, content_sent = false,
      attempts = q.attempts + k.attempted::int, doubts = q.doubts + k.doubted::int,
      first_failed_at = case when k.attempted then coalesce(q.first_failed_at, ${scope.now}) else q.first_failed_at end
    from unnest(${array('uuid', accounts)}, ${array('uuid', messages)}, ${array('smallint', ordinals)},
      ${array(
        'timestamptz',
        rows.map(({ dueAt }) => dueAt),
      )}, ${array(
        'bool',
        rows.map(({ attempted }) => attempted),
      )}, ${array(
        'bool',
        rows.map(({ doubted }) => doubted),
      )}, ${array(
        'bool',
        rows.map(({ parked }) => parked),
      )}, ${array(
        'text',
        rows.map(({ heldAt }) => heldAt),
      )})
      as k (account_id, message_id, ordinal, due_at, attempted, doubted, parked, held_at)
    where q.account_id = k.account_id and q.message_id = k.message_id and q.ordinal = k.ordinal
      and q.lease_owner = ${owner}::uuid
    returning q.message_id, q.ordinal`.execute(scope.tx);
  return new Set(result.rows.map(keyText));
}

/** Ends every lease: for a start at which it is certain that no worker of the installation lives. */
export async function endAllLeases(scope: SystemWriteScope): Promise<void> {
  await sql`
    update delivery_queue set due_at = ${scope.now} where lease_owner is not null and not ready`.execute(scope.tx);
}

/**
 * Moves the end of the leases of what this owner still holds. Rows that a statement of the same worker is changing are passed
 * over, until the next time: waiting for them, in another order than that statement's, is how two end in a deadlock.
 */
export async function renewLeases(
  scope: SystemWriteScope,
  owner: string,
  leaseMs: number,
  keys: readonly RecipientKey[],
): Promise<void> {
  const { accounts, messages, ordinals } = keyArrays(keys);
  // Waits for nobody: what is being settled at this moment holds rows in another order, and each would wait for the other.
  // A row that is passed over has its lease for two more renewals.
  await sql`
    with free as materialized (
      select q.account_id, q.message_id, q.ordinal from delivery_queue q
      join unnest(${array('uuid', accounts)}, ${array('uuid', messages)}, ${array('smallint', ordinals)}) as k (account_id, message_id, ordinal)
        on q.account_id = k.account_id and q.message_id = k.message_id and q.ordinal = k.ordinal
      where q.lease_owner = ${owner}::uuid for update of q skip locked)
    update delivery_queue q set due_at = ${new Date(scope.now.getTime() + leaseMs)}, ready = false
    from free
    where q.account_id = free.account_id and q.message_id = free.message_id and q.ordinal = free.ordinal`.execute(
    scope.tx,
  );
}

/**
 * Takes a message's recipients out of the queue that no worker holds. Answers their ordinals; one under a lease stays,
 * for its mail may be on the wire.
 */
export async function withdraw(scope: WriteScope, messageId: string): Promise<number[]> {
  const { rows } = await sql<{ ordinal: number }>`
    delete from delivery_queue
    where account_id = ${scope.accountId}::uuid and message_id = ${messageId}::uuid
      and (lease_owner is null or (due_at <= ${scope.now} and not content_sent))
    returning ordinal`.execute(scope.tx);
  if (rows.length > 0) {
    await sql`
      update recipients set status = 'CANCELLED', settled_at = ${scope.now}
      where account_id = ${scope.accountId}::uuid and message_id = ${messageId}::uuid
        and bucket = ${bucketOfMessage(messageId)} and ordinal = any(${array(
          'smallint',
          rows.map(({ ordinal }) => ordinal),
        )})`.execute(scope.tx);
  }
  return rows.map(({ ordinal }) => ordinal);
}
