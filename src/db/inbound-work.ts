// Inbound messages as the processes see them that hand them to webhooks: leases on endpoints, what is due, what became of it.
// Whoever queues a message, and whoever lets an endpoint go, locks its row first: so none is overlooked between them.
import { type Selectable, sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { array } from './arrays.ts';
import type { InboundMessageRow } from './inbound-messages.ts';
import type { SystemScope, SystemWriteScope, WriteScope } from './scope.ts';
import type { InboundSettingsTable } from './tables.gen.ts';

export type InboundEndpointRow = Selectable<InboundSettingsTable>;

export interface EndpointKey {
  readonly accountId: string;
  readonly serverId: string;
}

/** In the transaction that queues messages. In the order of the keys, so that nobody waits for each other in a circle. */
export async function wakeInboundEndpoints(
  scope: SystemWriteScope | WriteScope,
  endpoints: readonly EndpointKey[],
): Promise<void> {
  if (endpoints.length === 0) return;
  const keys = [...new Map(endpoints.map((key) => [key.serverId, key])).values()];
  await sql`
    with due as materialized (
      select s.account_id, s.server_id from inbound_settings s
      join unnest(${array(
        'uuid',
        keys.map(({ accountId }) => accountId),
      )}, ${array(
        'uuid',
        keys.map(({ serverId }) => serverId),
      )})
        as k (account_id, server_id) on s.account_id = k.account_id and s.server_id = k.server_id
      order by s.server_id for update of s)
    update inbound_settings s set due_at = least(coalesce(s.due_at, ${scope.now}), ${scope.now})
    from due where s.account_id = due.account_id and s.server_id = due.server_id`.execute(scope.tx);
}

/** Endpoints for which something is due and that nobody holds, the longest waiting first. */
export async function claimInboundEndpoints(
  scope: SystemScope,
  claim: { readonly owner: string; readonly now: Date; readonly until: Date; readonly limit: number },
): Promise<readonly EndpointKey[]> {
  const { rows } = await sql<EndpointKey>`
    update inbound_settings s set lease_owner = ${claim.owner}::uuid, lease_until = ${claim.until}
    from (select account_id, server_id from inbound_settings
          where due_at <= ${claim.now} and coalesce(lease_until, '-infinity'::timestamptz) < ${claim.now}
          order by due_at limit ${claim.limit} for update skip locked) as free
    where s.account_id = free.account_id and s.server_id = free.server_id
    returning s.account_id, s.server_id`.execute(scope.db);
  return rows;
}

/** Whatever is not answered is not the owner's any more. */
export async function renewInboundEndpoints(scope: SystemScope, owner: string, until: Date): Promise<string[]> {
  const { rows } = await sql<{ serverId: string }>`
    with held as materialized (
      select account_id, server_id from inbound_settings where lease_owner = ${owner}::uuid
      order by server_id for update)
    update inbound_settings s set lease_until = ${until} from held
    where s.account_id = held.account_id and s.server_id = held.server_id returning s.server_id`.execute(scope.db);
  return rows.map(({ serverId }) => serverId);
}

export type HeldEndpoint = InboundEndpointRow & { readonly serverDeleted: boolean };

/** As it is now; undefined: somebody else has it. */
export async function readInboundEndpoint(
  { db }: SystemScope,
  owner: string,
  { accountId, serverId }: EndpointKey,
): Promise<HeldEndpoint | undefined> {
  const { rows } = await sql<HeldEndpoint>`
    select e.*, s.deleted_at is not null as server_deleted from inbound_settings e
    join servers s on s.account_id = e.account_id and s.id = e.server_id
    where e.account_id = ${accountId}::uuid and e.server_id = ${serverId}::uuid and e.lease_owner = ${owner}::uuid`.execute(
    db,
  );
  return rows[0];
}

export interface DueQuery extends EndpointKey {
  readonly now: Date;
  readonly fromBucket: number;
  /** In memory already. */
  readonly without: readonly string[];
  readonly limit: number;
}

/** The longest due first. */
export async function listDueInbound({ db }: SystemScope, query: DueQuery): Promise<InboundMessageRow[]> {
  const { rows } = await sql<InboundMessageRow>`
    select * from inbound_messages
    where server_id = ${query.serverId}::uuid and account_id = ${query.accountId}::uuid and status = 'QUEUED'
      and next_attempt_at <= ${query.now} and bucket >= ${query.fromBucket}
      and id <> all(${array('uuid', query.without)})
    order by next_attempt_at limit ${query.limit}`.execute(db);
  return rows;
}

export interface InboundOutcome {
  readonly status: 'QUEUED' | 'PROCESSED' | 'FAILED';
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly failure: string | null;
  readonly lastStatus: number | null;
  readonly lastLatencyMs: number | null;
  readonly lastAttemptAt: Date | null;
}

/** Fenced by the lease: who has lost it changes nothing. `failures`: of the endpoint, in a row. */
export async function recordInboundOutcome(
  { tx }: SystemWriteScope,
  owner: string,
  { accountId, serverId, id }: Pick<InboundMessageRow, 'accountId' | 'serverId' | 'id'>,
  outcome: InboundOutcome,
  failures: number,
): Promise<void> {
  const held = await tx
    .updateTable('inboundSettings')
    .set({ failures })
    .where('accountId', '=', accountId)
    .where('serverId', '=', serverId)
    .where('leaseOwner', '=', owner)
    .returning('serverId')
    .executeTakeFirst();
  if (held === undefined) return;
  await tx
    .updateTable('inboundMessages')
    .set(outcome)
    .where('accountId', '=', accountId)
    .where('id', '=', id)
    .where('bucket', '=', bucketOfMessage(id))
    .where('status', '=', 'QUEUED')
    .execute();
}

/** What waits for a webhook that is not there any more is there to be read. How many it were, at most `limit`. */
export async function releaseQueuedInbound(
  { db }: SystemScope,
  { accountId, serverId }: EndpointKey,
  limit: number,
): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    update inbound_messages m set status = 'PROCESSED', next_attempt_at = null
    from (select account_id, id, bucket from inbound_messages
          where server_id = ${serverId}::uuid and account_id = ${accountId}::uuid and status = 'QUEUED'
          limit ${limit}) as waiting
    where m.account_id = waiting.account_id and m.id = waiting.id and m.bucket = waiting.bucket
      and m.status = 'QUEUED'`.execute(db);
  return Number(numAffectedRows);
}

/** Lets an endpoint go, and says when there will be something to do. `never`: its server is gone. */
export async function releaseInboundEndpoint(
  { tx }: SystemWriteScope,
  owner: string,
  { accountId, serverId }: EndpointKey,
  fromBucket: number | 'never',
): Promise<void> {
  const held = await sql`select from inbound_settings
    where account_id = ${accountId}::uuid and server_id = ${serverId}::uuid and lease_owner = ${owner}::uuid
    for update`.execute(tx);
  if (held.rows.length === 0) return;
  // A statement of its own: it sees what was queued before the lock was got.
  const due =
    fromBucket === 'never'
      ? sql`null`
      : sql`(select min(next_attempt_at) from inbound_messages
             where server_id = ${serverId}::uuid and status = 'QUEUED' and bucket >= ${fromBucket})`;
  await sql`update inbound_settings set lease_owner = null, lease_until = null, due_at = ${due}
    where account_id = ${accountId}::uuid and server_id = ${serverId}::uuid`.execute(tx);
}

/** For a start at which it is certain that no worker of the installation lives. */
export async function endInboundLeases(scope: SystemWriteScope): Promise<void> {
  await sql`update inbound_settings set lease_owner = null, lease_until = null where lease_owner is not null`.execute(
    scope.tx,
  );
}
