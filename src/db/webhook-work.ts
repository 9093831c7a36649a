// Webhooks as the processes that call them see them: leases on endpoints, what is taken from the log, what became of it.
// Everything is fenced by the lease: who has lost it changes nothing. Rows of several endpoints are locked in the order of
// their ids, so that the statements of one process never wait for each other in a circle.
import { sql } from 'kysely';
import { array } from './arrays.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import type { Database } from './client.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type { WebhookDeliveryRow } from './webhook-deliveries.ts';
import type { WebhookReplayRow, WebhookRow } from './webhooks.ts';

const callable = sql`w.enabled and w.verified_at is not null and w.paused_at is null`;

/** Says that a worker lives; answers how many do. */
export async function beat(scope: SystemScope, owner: string, now: Date, until: Date): Promise<number> {
  await sql`insert into webhook_workers (id, seen_until) values (${owner}::uuid, ${until})
    on conflict (id) do update set seen_until = excluded.seen_until`.execute(scope.db);
  const { rows } = await sql<{ alive: number }>`
    select count(*) as alive from webhook_workers where seen_until > ${now}`.execute(scope.db);
  return rows[0]?.alive ?? 1;
}

export async function forgetWorkers(scope: SystemScope, owner: string | null, before: Date): Promise<void> {
  await sql`delete from webhook_workers where id = ${owner}::uuid or seen_until < ${before}`.execute(scope.db);
}

export async function countCallable(scope: SystemScope): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) from webhooks w where ${callable}`.execute(scope.db);
  return rows[0]?.count ?? 0;
}

export interface HeldWebhook {
  readonly id: string;
  readonly revision: number;
}

/** Prolongs what the owner holds and may still call; whatever is not answered is not its any more. */
export async function renewWebhooks(scope: SystemScope, owner: string, until: Date): Promise<readonly HeldWebhook[]> {
  const { rows } = await sql<HeldWebhook>`
    with held as materialized (
      select w.account_id, w.id from webhooks w
      join servers s on s.account_id = w.account_id and s.id = w.server_id and s.deleted_at is null
      where w.lease_owner = ${owner}::uuid and ${callable} order by w.id for update of w)
    update webhooks w set lease_until = ${until} from held where w.account_id = held.account_id and w.id = held.id
    returning w.id, w.revision`.execute(scope.db);
  return rows;
}

export async function claimWebhooks(
  scope: SystemScope,
  claim: { readonly owner: string; readonly now: Date; readonly until: Date; readonly limit: number },
): Promise<readonly WebhookRow[]> {
  const { rows } = await sql<WebhookRow>`
    update webhooks w set lease_owner = ${claim.owner}::uuid, lease_until = ${claim.until}
    from (select w.account_id, w.id from webhooks w
          join servers s on s.account_id = w.account_id and s.id = w.server_id and s.deleted_at is null
          where ${callable} and coalesce(w.lease_until, '-infinity'::timestamptz) < ${claim.now}
          order by coalesce(w.lease_until, '-infinity'::timestamptz) limit ${claim.limit}
          for update of w skip locked) as free
    where w.account_id = free.account_id and w.id = free.id
    returning w.*`.execute(scope.db);
  return rows;
}

export async function readHeld(scope: SystemScope, owner: string, ids: readonly string[]): Promise<WebhookRow[]> {
  if (ids.length === 0) return [];
  return scope.db
    .selectFrom('webhooks')
    .selectAll()
    .where('leaseOwner', '=', owner)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

export async function releaseWebhooks(scope: SystemScope, owner: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`update webhooks set lease_owner = null, lease_until = null
    where lease_owner = ${owner}::uuid and id = any(${array('uuid', ids)})`.execute(scope.db);
}

/** For a start at which it is certain that no worker of the installation lives. */
export async function endWebhookLeases(scope: SystemWriteScope): Promise<void> {
  await sql`update webhooks set lease_owner = null, lease_until = null where lease_owner is not null`.execute(scope.tx);
  await sql`delete from webhook_workers`.execute(scope.tx);
}

// ── from the log ──

export interface Position {
  readonly xact: number;
  readonly id: string;
}

export type NewDelivery = Omit<
  WebhookDeliveryRow,
  | 'state'
  | 'attempts'
  | 'firstAttemptAt'
  | 'lastAttemptAt'
  | 'lastStatus'
  | 'lastError'
  | 'lastLatencyMs'
  | 'responseHead'
>;

const spec: InsertSpec<NewDelivery> = {
  table: 'webhook_deliveries',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    id: 'uuid',
    serverId: 'uuid',
    webhookId: 'uuid',
    logXact: 'int8',
    eventId: 'uuid',
    eventType: { enum: 'message_event_type' },
    replayed: 'bool',
    createdAt: 'timestamptz',
    nextAttemptAt: 'timestamptz',
  },
  computed: { state: `'PENDING'::webhook_delivery_state` },
};

/** A stretch of the log that was read for an endpoint: the deliveries it makes, and how far it goes. */
export interface Intake {
  readonly accountId: string;
  readonly webhookId: string;
  readonly deliveries: readonly NewDelivery[];
  readonly through: Position;
  /** Of a replay: which; `ended`: nothing of it is left. */
  readonly replay: { readonly id: string; readonly ended: boolean } | null;
}

/** Rows and cursors in one transaction. Answers the webhooks whose lease holds: for the others nothing was written. */
export async function recordIntakes(
  scope: SystemWriteScope,
  owner: string,
  intakes: readonly Intake[],
): Promise<ReadonlySet<Intake>> {
  const inOrder = intakes.toSorted((a, b) => (a.webhookId < b.webhookId ? -1 : 1));
  const live = inOrder.filter(({ replay }) => replay === null);
  const replays = inOrder.filter(({ replay }) => replay !== null);
  const moved = new Set([...(await moveCursors(scope, owner, live)), ...(await moveReplays(scope, owner, replays))]);
  const held = new Set(intakes.filter((intake) => moved.has(intake.replay?.id ?? intake.webhookId)));
  await insertAll(
    scope.tx,
    spec,
    [...held].flatMap(({ deliveries }) => deliveries),
  );
  return held;
}

/** In the order of ids, as recordHealth: both change many webhooks, and in different orders they would wait for each other. */
async function moveCursors(scope: SystemWriteScope, owner: string, intakes: readonly Intake[]): Promise<string[]> {
  if (intakes.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    with held as materialized (
      select w.account_id, w.id, i.xact, i.position from webhooks w
      join unnest(${array(
        'uuid',
        intakes.map(({ accountId }) => accountId),
      )}, ${array(
        'uuid',
        intakes.map(({ webhookId }) => webhookId),
      )},
      ${array(
        'int8',
        intakes.map(({ through }) => through.xact),
      )}, ${array(
        'uuid',
        intakes.map(({ through }) => through.id),
      )})
      as i (account_id, id, xact, position) on w.account_id = i.account_id and w.id = i.id
      where w.lease_owner = ${owner}::uuid and (w.cursor_xact, w.cursor_id) < (i.xact, i.position)
      order by w.id for update of w)
    update webhooks w set cursor_xact = held.xact, cursor_id = held.position from held
    where w.account_id = held.account_id and w.id = held.id
    returning w.id`.execute(scope.tx);
  return rows.map(({ id }) => id);
}

async function moveReplays(scope: SystemWriteScope, owner: string, intakes: readonly Intake[]): Promise<string[]> {
  const moved: string[] = [];
  for (const { accountId, webhookId, through, replay } of intakes) {
    if (replay === null) continue;
    const { rows } = await sql<{ id: string }>`
      update webhook_replays r set cursor_xact = ${through.xact}, cursor_id = ${through.id}::uuid from webhooks w
      where r.account_id = ${accountId}::uuid and r.id = ${replay.id}::uuid
        and w.account_id = r.account_id and w.id = ${webhookId}::uuid and w.lease_owner = ${owner}::uuid
      returning r.id`.execute(scope.tx);
    if (rows.length === 0) continue;
    moved.push(replay.id);
    if (replay.ended)
      await scope.tx
        .deleteFrom('webhookReplays')
        .where('accountId', '=', accountId)
        .where('id', '=', replay.id)
        .execute();
  }
  return moved;
}

/** The oldest replay of an endpoint that has not ended. */
export function findReplay(db: Database, accountId: string, webhookId: string): Promise<WebhookReplayRow | undefined> {
  return db
    .selectFrom('webhookReplays')
    .selectAll()
    .where('accountId', '=', accountId)
    .where('webhookId', '=', webhookId)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

// ── deliveries ──

/** Those that wait, the next due first; among equals in the order of the log. */
export function listPending(
  db: Database,
  webhook: { readonly accountId: string; readonly id: string },
  limit: number,
): Promise<WebhookDeliveryRow[]> {
  return db
    .selectFrom('webhookDeliveries')
    .selectAll()
    .where('webhookId', '=', webhook.id)
    .where('accountId', '=', webhook.accountId)
    .where('state', '=', 'PENDING')
    .orderBy('nextAttemptAt')
    .orderBy('logXact')
    .orderBy('eventId')
    .limit(limit)
    .execute();
}

export type DeliveryOutcome = Pick<
  WebhookDeliveryRow,
  | 'accountId'
  | 'id'
  | 'bucket'
  | 'state'
  | 'attempts'
  | 'firstAttemptAt'
  | 'lastAttemptAt'
  | 'nextAttemptAt'
  | 'lastStatus'
  | 'lastError'
  | 'lastLatencyMs'
  | 'responseHead'
>;

/** What has ended stays as it ended. */
export async function recordOutcomes(scope: SystemWriteScope, outcomes: readonly DeliveryOutcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  const column = <K extends keyof DeliveryOutcome>(key: K) => outcomes.map((outcome) => outcome[key]);
  await sql`
    update webhook_deliveries d set state = o.state::webhook_delivery_state, attempts = o.attempts,
      first_attempt_at = o.first_attempt_at, last_attempt_at = o.last_attempt_at, next_attempt_at = o.next_attempt_at,
      last_status = o.last_status, last_error = o.last_error, last_latency_ms = o.last_latency_ms,
      response_head = o.response_head
    from unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('id'))}, ${array('int', column('bucket'))},
      ${array('text', column('state'))}, ${array('int', column('attempts'))}, ${array('timestamptz', column('firstAttemptAt'))},
      ${array('timestamptz', column('lastAttemptAt'))}, ${array('timestamptz', column('nextAttemptAt'))},
      ${array('smallint', column('lastStatus'))}, ${array('text', column('lastError'))},
      ${array('int', column('lastLatencyMs'))}, ${array('text', column('responseHead'))})
      as o (account_id, id, bucket, state, attempts, first_attempt_at, last_attempt_at, next_attempt_at, last_status,
            last_error, last_latency_ms, response_head)
    where d.account_id = o.account_id and d.id = o.id and d.bucket = o.bucket and d.state = 'PENDING'`.execute(
    scope.tx,
  );
}

export type Health = Pick<
  WebhookRow,
  'failures' | 'refusals' | 'failingSince' | 'lastSuccessAt' | 'pausedAt' | 'pauseReason' | 'notBefore' | 'catchUpXact'
>;
export type HealthChange = Health & {
  readonly accountId: string;
  readonly id: string;
  /** What its owner is to be told; null: nothing new. */
  readonly notice: string | null;
};

/** An endpoint that is gone is turned off. */
export async function recordHealth(
  scope: SystemWriteScope,
  owner: string,
  changes: readonly HealthChange[],
): Promise<void> {
  for (const { accountId, id, notice, ...health } of changes.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    await scope.tx
      .updateTable('webhooks')
      .set({
        ...health,
        ...(notice === null ? {} : { notice }),
        ...(health.pauseReason === 'GONE' ? { enabled: false } : {}),
      })
      .where('accountId', '=', accountId)
      .where('id', '=', id)
      .where('leaseOwner', '=', owner)
      .execute();
  }
}

/** Nothing up to `through` is for this endpoint: a reader that comes later need not look there again. */
export async function skipTo(
  scope: SystemScope,
  owner: string,
  { accountId, id }: { readonly accountId: string; readonly id: string },
  from: Position,
  through: Position,
): Promise<void> {
  await sql`update webhooks set cursor_xact = ${through.xact}, cursor_id = ${through.id}::uuid
    where account_id = ${accountId}::uuid and id = ${id}::uuid and lease_owner = ${owner}::uuid
      and cursor_xact = ${from.xact} and cursor_id = ${from.id}::uuid`.execute(scope.db);
}
