// Addresses that get no mail, for each stream, under a hash of the address.
import { CompiledQuery, type Selectable, sql } from 'kysely';
import type { SuppressionReason } from '#/domain/errors.ts';
import { firstIdAt, ID_SLACK_MS } from '#/domain/ids.ts';
import { array, encodeArray } from './arrays.ts';
import { planAnew } from './client.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { SuppressionOrigin, SuppressionsTable } from './tables.gen.ts';

/** With the server of its stream. */
export type SuppressionRow = Selectable<SuppressionsTable> & { readonly serverId: string };

export interface SuppressionKey {
  readonly streamId: string;
  readonly hash: Buffer;
}

export interface FoundSuppression extends SuppressionKey {
  readonly reason: SuppressionReason;
}

/** Row by row, `limit 1`: as a join it would follow the stream's index, and read all of its suppressions. */
const FIND = `
  select s.stream_id as "streamId", s.address_hash as hash, s.reason
  from unnest($2::uuid[], $3::bytea[]) as w (stream_id, hash)
  cross join lateral (
    select * from suppressions
    where account_id = $1::uuid and stream_id = w.stream_id and address_hash = w.hash limit 1) as s`;

export async function findSuppressions(
  scope: WriteScope,
  keys: readonly SuppressionKey[],
): Promise<FoundSuppression[]> {
  if (keys.length === 0) return [];
  const streams = encodeArray(
    'uuid',
    keys.map(({ streamId }) => streamId),
  );
  const hashes = encodeArray(
    'bytea',
    keys.map(({ hash }) => hash),
  );
  const statement = CompiledQuery.raw(FIND, [scope.accountId, streams, hashes]);
  const { rows } = await scope.tx.withoutPlugins().executeQuery<FoundSuppression>(statement);
  return rows;
}

export interface NewSuppression {
  readonly accountId: string;
  readonly streamId: string;
  readonly hash: Buffer;
  readonly id: string;
  readonly address: string;
  readonly reason: SuppressionReason;
  readonly origin: SuppressionOrigin;
  readonly note?: string | null;
}

/**
 * Answers the ids of those that took effect. An address that is suppressed already stays as it is, but that a complaint
 * takes the place of what the customer could lift. In one order, so that two calls never wait for each other.
 */
export async function insertSuppressions(
  scope: SystemWriteScope | WriteScope,
  rows: readonly NewSuppression[],
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const ordered = rows.toSorted(
    (a, b) => a.accountId.localeCompare(b.accountId) || a.streamId.localeCompare(b.streamId) || a.hash.compare(b.hash),
  );
  const once = ordered.filter((row, index) => {
    const last = ordered[index - 1];
    return last === undefined || last.streamId !== row.streamId || !last.hash.equals(row.hash);
  });
  const column = <K extends keyof NewSuppression>(key: K) => once.map((row) => row[key]);
  const { rows: written } = await sql<{ id: string }>`
    insert into suppressions as s (account_id, stream_id, address_hash, id, address, reason, origin, note, created_at)
    select row.account_id, row.stream_id, row.hash, row.id, row.address, row.reason::suppression_reason,
      row.origin::suppression_origin, row.note, ${scope.now}::timestamptz
    from unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('streamId'))}, ${array('bytea', column('hash'))},
      ${array('uuid', column('id'))}, ${array('text', column('address'))}, ${array('text', column('reason'))},
      ${array('text', column('origin'))}, ${array(
        'text',
        once.map(({ note }) => note ?? null),
      )}) as row (account_id, stream_id, hash, id, address, reason, origin, note)
    on conflict (account_id, stream_id, address_hash) do update set
      id = excluded.id, reason = excluded.reason, origin = excluded.origin, created_at = excluded.created_at,
      address = excluded.address
    where excluded.reason = 'SPAM_COMPLAINT' and s.reason <> 'SPAM_COMPLAINT'
    returning s.id`.execute(scope.tx);
  return new Set(written.map(({ id }) => id));
}

/** Of those of `ids` that are still in force. */
export async function listSuppressionReasons(
  scope: ReadScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SuppressionReason>> {
  const rows = await scope.db
    .selectFrom('suppressions')
    .select(['id', 'reason'])
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
  return new Map(rows.map(({ id, reason }) => [id, reason]));
}

/** On the streams that the scope reaches. */
function suppressions(scope: ReadScope) {
  let query = scope.db
    .selectFrom('suppressions as s')
    .innerJoin('messageStreams as m', (join) =>
      join.onRef('m.accountId', '=', 's.accountId').onRef('m.id', '=', 's.streamId'),
    )
    .selectAll('s')
    .select('m.serverId')
    .where('s.accountId', '=', scope.accountId);
  const within = withinServers(scope, 'm.server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('s.streamId', '=', scope.streamId);
  return query;
}

export function findSuppressionRows(scope: ReadScope, ids: readonly string[]): Promise<SuppressionRow[]> {
  return suppressions(scope)
    .where('s.id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** Of these addresses, on these streams. */
export function listSuppressionsOf(
  scope: ReadScope,
  streamIds: readonly string[],
  hashes: readonly Buffer[],
): Promise<SuppressionRow[]> {
  return suppressions(scope)
    .where('s.streamId', '=', sql<string>`any(${array('uuid', streamIds)})`)
    .where('s.addressHash', '=', sql<Buffer>`any(${array('bytea', hashes)})`)
    .execute();
}

export interface SuppressionSearch {
  readonly streamId: string;
  /** Only older ones than this. */
  readonly before: string | null;
  readonly limit: number;
  readonly hash: Buffer | null;
  readonly reason: SuppressionReason | null;
  readonly origin: SuppressionOrigin | null;
  readonly since: Date | null;
  readonly until: Date | null;
}

/** Newest first, along the index of the stream, of its reason or of its origin. */
export function searchSuppressions(scope: ReadScope, search: SuppressionSearch): Promise<SuppressionRow[]> {
  const { streamId, before, hash, reason, origin, since, until } = search;
  let query = suppressions(scope).where('s.streamId', '=', streamId).orderBy('s.id', 'desc').limit(search.limit);
  if (before !== null) query = query.where('s.id', '<', before);
  if (hash !== null) query = query.where('s.addressHash', '=', hash);
  if (reason !== null) query = query.where('s.reason', '=', reason);
  if (origin !== null) query = query.where('s.origin', '=', origin);
  if (since !== null) query = query.where('s.createdAt', '>=', since).where('s.id', '>=', firstIdAt(since.getTime()));
  if (until !== null)
    query = query.where('s.createdAt', '<', until).where('s.id', '<', firstIdAt(until.getTime() + ID_SLACK_MS));
  return query.modifyFront(planAnew).execute();
}

/** Answers the ids of those that were there. */
export async function deleteSuppressions(scope: WriteScope, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const deleted = await scope.tx
    .deleteFrom('suppressions')
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .returning('id')
    .execute();
  return new Set(deleted.map(({ id }) => id));
}

export type ExportedSuppression = Pick<SuppressionRow, 'id' | 'address' | 'reason' | 'origin' | 'createdAt' | 'note'>;

/**
 * For who has a link that proves itself: a page of a stream, newest first. Only the index of the stream in this order can be
 * chosen (`is true` hides the account from the planner): by the primary key each page would read the whole stream.
 */
export function pageForBearer(
  { db }: SystemScope,
  { accountId, streamId }: { readonly accountId: string; readonly streamId: string },
  { before, limit }: { readonly before: string | null; readonly limit: number },
): Promise<ExportedSuppression[]> {
  let query = db
    .selectFrom('suppressions')
    .select(['id', 'address', 'reason', 'origin', 'createdAt', 'note'])
    .where('streamId', '=', streamId)
    .where(sql<boolean>`(account_id = ${accountId}::uuid) is true`)
    .orderBy('id', 'desc')
    .limit(limit);
  if (before !== null) query = query.where('id', '<', before);
  return query.execute();
}

/** The slug of a stream whose server is there; for the same. */
export async function streamForBearer(
  { db }: SystemScope,
  { accountId, streamId }: { readonly accountId: string; readonly streamId: string },
): Promise<string | null> {
  const row = await db
    .selectFrom('messageStreams as m')
    .innerJoin('servers as s', (join) => join.onRef('s.accountId', '=', 'm.accountId').onRef('s.id', '=', 'm.serverId'))
    .select('m.slug')
    .where('m.accountId', '=', accountId)
    .where('m.id', '=', streamId)
    .where('s.deletedAt', 'is', null)
    .executeTakeFirst();
  return row?.slug ?? null;
}
