// Servers and their message streams.
import type { Selectable } from 'kysely';
import { type ReadScope, withinServers, type WriteScope } from './scope.ts';
import type { MessageStreamsTable, ServersTable } from './tables.gen.ts';

export type ServerRow = Selectable<ServersTable>;
export type StreamRow = Selectable<MessageStreamsTable>;

function liveServers(scope: ReadScope) {
  const query = scope.db
    .selectFrom('servers')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('deletedAt', 'is', null);
  const within = withinServers(scope, 'id');
  return within === null ? query : query.where(within);
}

export function findServers(scope: ReadScope, ids: readonly string[]): Promise<ServerRow[]> {
  return ids.length === 0
    ? Promise.resolve([])
    : liveServers(scope)
        .where('id', 'in', [...ids])
        .execute();
}

export function findServer(scope: ReadScope, id: string): Promise<ServerRow | undefined> {
  return liveServers(scope).where('id', '=', id).executeTakeFirst();
}

/** By id, which is by age. */
export function listServers(scope: ReadScope, after: string | null, limit: number): Promise<ServerRow[]> {
  let query = liveServers(scope).orderBy('id').limit(limit);
  if (after !== null) query = query.where('id', '>', after);
  return query.execute();
}

/** False when the account has a server of this name. */
export async function insertServer(scope: WriteScope, server: ServerRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('servers')
    .values(server)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export function updateServer(
  scope: WriteScope,
  id: string,
  changes: Partial<Pick<ServerRow, 'name' | 'color' | 'trackOpens' | 'trackLinks' | 'deletedAt' | 'domainsLimited'>>,
): Promise<ServerRow | undefined> {
  return scope.tx
    .updateTable('servers')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

function streams(scope: ReadScope) {
  let query = scope.db.selectFrom('messageStreams').selectAll().where('accountId', '=', scope.accountId);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('id', '=', scope.streamId);
  return query;
}

export function findStreams(scope: ReadScope, ids: readonly string[]): Promise<StreamRow[]> {
  return ids.length === 0
    ? Promise.resolve([])
    : streams(scope)
        .where('id', 'in', [...ids])
        .execute();
}

/** Archived ones too; oldest first. */
export function listStreams(scope: ReadScope, serverIds: readonly string[]): Promise<StreamRow[]> {
  if (serverIds.length === 0) return Promise.resolve([]);
  return streams(scope)
    .where('serverId', 'in', [...serverIds])
    .orderBy('id')
    .execute();
}

export async function insertStream(scope: WriteScope, stream: StreamRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('messageStreams')
    .values(stream)
    .onConflict((conflict) => conflict.columns(['accountId', 'serverId', 'slug']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export function setStreamArchived(
  scope: WriteScope,
  id: string,
  dates: Pick<StreamRow, 'archivedAt' | 'purgeAt'>,
): Promise<StreamRow | undefined> {
  return scope.tx
    .updateTable('messageStreams')
    .set(dates)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

export function updateStream(
  scope: WriteScope,
  id: string,
  changes: Partial<Pick<StreamRow, 'name' | 'description' | 'inDoubtPolicy' | 'lifetimeMinutes' | 'tlsPolicy'>>,
): Promise<StreamRow | undefined> {
  return scope.tx
    .updateTable('messageStreams')
    .set(changes)
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** Serialises changes that count a server's streams. */
export async function lockServer(scope: WriteScope, id: string): Promise<ServerRow | undefined> {
  let query = scope.tx
    .selectFrom('servers')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', id)
    .where('deletedAt', 'is', null);
  const within = withinServers(scope, 'id');
  if (within !== null) query = query.where(within);
  return query.forUpdate().executeTakeFirst();
}
