// Transports with their relays and sources, and which server or stream takes which. Few rows: each worker holds them all.
import type { Selectable } from 'kysely';
import { MAX_CHOICES } from '#/domain/delivery/transports.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type {
  TransportChoicesTable,
  TransportRelaysTable,
  TransportSourcesTable,
  TransportsTable,
} from './tables.gen.ts';

export type TransportRow = Selectable<TransportsTable>;
export type RelayRow = Selectable<TransportRelaysTable>;
export type SourceRow = Selectable<TransportSourcesTable>;
export type ChoiceRow = Selectable<TransportChoicesTable>;

export interface TransportRows {
  readonly transport: TransportRow;
  readonly relays: readonly RelayRow[];
  readonly sources: readonly SourceRow[];
}

/** All, by name. */
export async function listTransports(db: SystemScope['db'] | SystemWriteScope['tx']): Promise<TransportRows[]> {
  const transports = await db.selectFrom('transports').selectAll().orderBy('name').execute();
  if (transports.length === 0) return [];
  const [relays, sources] = await Promise.all([
    db.selectFrom('transportRelays').selectAll().orderBy('priority').orderBy('id').execute(),
    db.selectFrom('transportSources').selectAll().orderBy('id').execute(),
  ]);
  return transports.map((transport) => ({
    transport,
    relays: relays.filter(({ transportId }) => transportId === transport.id),
    sources: sources.filter(({ transportId }) => transportId === transport.id),
  }));
}

/** Serialises changes of transports and of what takes them. */
export async function lockTransport(scope: SystemWriteScope, name: string): Promise<TransportRow | undefined> {
  return scope.tx.selectFrom('transports').selectAll().where('name', '=', name).forUpdate().executeTakeFirst();
}

/** In place of what it was, with all its relays and sources. */
export async function writeTransport(
  scope: SystemWriteScope,
  { transport, relays, sources }: TransportRows,
): Promise<void> {
  const { id, createdAt: _, ...changes } = transport;
  await scope.tx
    .insertInto('transports')
    .values(transport)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changes))
    .execute();
  await scope.tx.deleteFrom('transportRelays').where('transportId', '=', id).execute();
  await scope.tx.deleteFrom('transportSources').where('transportId', '=', id).execute();
  if (relays.length > 0)
    await scope.tx
      .insertInto('transportRelays')
      .values([...relays])
      .execute();
  if (sources.length > 0)
    await scope.tx
      .insertInto('transportSources')
      .values([...sources])
      .execute();
}

export async function deleteTransport(scope: SystemWriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('transports').where('id', '=', id).execute();
}

/** Of servers and streams, oldest first; null: of all transports. Two that are made at once may pass the limit by one. */
export function listChoices(
  db: SystemScope['db'] | SystemWriteScope['tx'],
  transportId: string | null = null,
  limit: number = 2 * MAX_CHOICES,
): Promise<ChoiceRow[]> {
  const query = db.selectFrom('transportChoices').selectAll().orderBy('id').limit(limit);
  return (transportId === null ? query : query.where('transportId', '=', transportId)).execute();
}

export async function countChoices(scope: SystemWriteScope, transportId: string | null): Promise<number> {
  const query = scope.tx.selectFrom('transportChoices').select(({ fn }) => fn.countAll<number>().as('count'));
  const { count } = await (transportId === null
    ? query
    : query.where('transportId', '=', transportId)
  ).executeTakeFirstOrThrow();
  return Number(count);
}

/**
 * The account of a server, and of its stream where one is named; undefined: there is no such thing. A deleted server too:
 * what it chose must be taken back before the transport can go.
 */
export async function findChooser(
  scope: SystemWriteScope,
  serverId: string,
  streamId: string | null,
): Promise<{ readonly accountId: string } | undefined> {
  const server = await scope.tx.selectFrom('servers').select('accountId').where('id', '=', serverId).executeTakeFirst();
  if (server === undefined || streamId === null) return server;
  const { accountId } = server;
  const stream = await scope.tx
    .selectFrom('messageStreams')
    .select('accountId')
    .where('accountId', '=', accountId)
    .where('serverId', '=', serverId)
    .where('id', '=', streamId)
    .executeTakeFirst();
  return stream;
}

/** In place of what was chosen there. */
export async function insertChoice(scope: SystemWriteScope, choice: ChoiceRow): Promise<void> {
  await deleteChoice(scope, choice);
  await scope.tx.insertInto('transportChoices').values(choice).execute();
}

export async function deleteChoice(
  scope: SystemWriteScope,
  { accountId, serverId, streamId }: Pick<ChoiceRow, 'accountId' | 'serverId' | 'streamId'>,
): Promise<void> {
  await scope.tx
    .deleteFrom('transportChoices')
    .where('accountId', '=', accountId)
    .where('serverId', '=', serverId)
    .where('streamId', streamId === null ? 'is' : '=', streamId)
    .execute();
}

export function listSealedRelays(system: SystemScope): Promise<RelayRow[]> {
  return system.db.selectFrom('transportRelays').selectAll().where('credentialsEncrypted', 'is not', null).execute();
}

/** Only where it is still what it was. */
export async function resealRelay(
  system: SystemScope,
  { transportId, id, credentialsEncrypted }: RelayRow,
  sealed: Buffer,
): Promise<void> {
  await system.db
    .updateTable('transportRelays')
    .set({ credentialsEncrypted: sealed })
    .where('transportId', '=', transportId)
    .where('id', '=', id)
    .where('credentialsEncrypted', '=', credentialsEncrypted)
    .execute();
}
