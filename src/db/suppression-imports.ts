// Files of suppressions: what was asked for, the file itself until it is worked off, and how far that is.
import { type Selectable, sql } from 'kysely';
import { MAX_IMPORT_PROBLEMS, MAX_OPEN_IMPORTS, type Problem } from '#/domain/suppression-file.ts';
import { array } from './arrays.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { SuppressionImportsTable } from './tables.gen.ts';

type Row = Selectable<SuppressionImportsTable>;
/** With the server of its stream. */
export type SuppressionImportRow = Row & { readonly serverId: string };

export type ImportPlace = Pick<Row, 'accountId' | 'id'>;

/** On the streams that the scope reaches. */
function imports(scope: ReadScope) {
  let query = scope.db
    .selectFrom('suppressionImports as i')
    .innerJoin('messageStreams as m', (join) =>
      join.onRef('m.accountId', '=', 'i.accountId').onRef('m.id', '=', 'i.streamId'),
    )
    .selectAll('i')
    .select('m.serverId')
    .where('i.accountId', '=', scope.accountId);
  const within = withinServers(scope, 'm.server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('i.streamId', '=', scope.streamId);
  return query;
}

export function findSuppressionImports(scope: ReadScope, ids: readonly string[]): Promise<SuppressionImportRow[]> {
  return imports(scope)
    .where('i.id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** Newest first. */
export function listSuppressionImportRows(
  scope: ReadScope,
  { streamId, before, limit }: { readonly streamId: string; readonly before: string | null; readonly limit: number },
): Promise<SuppressionImportRow[]> {
  let query = imports(scope).where('i.streamId', '=', streamId).orderBy('i.id', 'desc').limit(limit);
  if (before !== null) query = query.where('i.id', '<', before);
  return query.execute();
}

export async function insertSuppressionImport(
  scope: WriteScope,
  row: Pick<Row, 'id' | 'streamId' | 'note' | 'startedBy' | 'uploadUntil'>,
): Promise<void> {
  const { accountId, now } = scope;
  await scope.tx
    .insertInto('suppressionImports')
    .values({ ...row, accountId, status: 'WAITING', createdAt: now, turnAt: now })
    .execute();
}

/** Of the account: those that have, or may still get, a file that is not worked off. Counts no further than the limit. */
export async function countOpenImports(scope: WriteScope): Promise<number> {
  const open = await scope.tx
    .selectFrom('suppressionImports')
    .select('id')
    .where('accountId', '=', scope.accountId)
    .where('status', 'in', ['WAITING', 'QUEUED', 'RUNNING'])
    .where(({ eb }) => eb.or([eb('status', '!=', 'WAITING'), eb('uploadUntil', '>', scope.now)]))
    .limit(MAX_OPEN_IMPORTS)
    .execute();
  return open.length;
}

// ── The file ──

/** Who begins last has the word: pieces of an upload that was cut, or is still under way, are gone. */
export async function beginUpload(scope: SystemWriteScope, place: ImportPlace, uploadId: string): Promise<boolean> {
  const { numUpdatedRows } = await scope.tx
    .updateTable('suppressionImports')
    .set({ uploadId })
    .where('accountId', '=', place.accountId)
    .where('id', '=', place.id)
    .where('status', '=', 'WAITING')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await deletePieces(scope, place);
  return true;
}

/** False: another upload has begun meanwhile. The lock makes that one wait, so that it sees what it has to delete. */
export async function insertPiece(
  scope: SystemWriteScope,
  { accountId, id }: ImportPlace,
  { uploadId, ordinal, data }: { readonly uploadId: string; readonly ordinal: number; readonly data: Buffer },
): Promise<boolean> {
  const { numAffectedRows } = await sql`
    insert into suppression_import_pieces (account_id, import_id, ordinal, data)
    select account_id, id, ${ordinal}::integer, ${data}::bytea from suppression_imports
    where account_id = ${accountId}::uuid and id = ${id}::uuid and upload_id = ${uploadId}::uuid and status = 'WAITING'
    for share`.execute(scope.tx);
  return numAffectedRows === 1n;
}

/** The file is whole. False: another upload has begun meanwhile. */
export async function completeUpload(
  scope: SystemWriteScope,
  { accountId, id }: ImportPlace,
  { uploadId, bytes }: { readonly uploadId: string; readonly bytes: number },
): Promise<boolean> {
  const { numUpdatedRows } = await scope.tx
    .updateTable('suppressionImports')
    .set({ status: 'QUEUED', bytes, uploadedAt: scope.now, turnAt: scope.now })
    .where('accountId', '=', accountId)
    .where('id', '=', id)
    .where('status', '=', 'WAITING')
    .where('uploadId', '=', uploadId)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function deletePieces(scope: SystemWriteScope, { accountId, id }: ImportPlace): Promise<void> {
  await scope.tx
    .deleteFrom('suppressionImportPieces')
    .where('accountId', '=', accountId)
    .where('importId', '=', id)
    .execute();
}

/** Those of the file that lie side by side, from `first` on. */
export async function readPieces(
  scope: SystemWriteScope,
  { accountId, id }: ImportPlace,
  first: number,
  count: number,
): Promise<Buffer> {
  const rows = await scope.tx
    .selectFrom('suppressionImportPieces')
    .select('data')
    .where('accountId', '=', accountId)
    .where('importId', '=', id)
    .where('ordinal', '>=', first)
    .where('ordinal', '<', first + count)
    .orderBy('ordinal')
    .execute();
  return Buffer.concat(rows.map(({ data }) => data));
}

// ── Working it off ──

/** Until the end of the transaction this process alone imports, for the whole installation. False: another one does. */
export async function tryToImport(scope: SystemWriteScope): Promise<boolean> {
  const { rows } = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('veredus.suppression-imports')) as mine`.execute(scope.tx);
  return rows[0]?.mine === true;
}

/** Whose turn it is: each file in its turn, so that a long one keeps no short one waiting. */
export function nextImport(scope: SystemWriteScope): Promise<Row | undefined> {
  return scope.tx
    .selectFrom('suppressionImports')
    .selectAll()
    .where('status', 'in', ['QUEUED', 'RUNNING'])
    .where('turnAt', '<=', scope.now)
    .orderBy('turnAt')
    .limit(1)
    .executeTakeFirst();
}

export interface ImportStep {
  readonly next: number;
  readonly line: number;
  readonly read: number;
  readonly added: number;
  readonly present: number;
  readonly problems: readonly Problem[];
}

/** In the transaction that suppresses what the step read. It is the only one (tryToImport); this says so once more. */
export async function advanceImport(scope: SystemWriteScope, work: Row, step: ImportStep): Promise<void> {
  const { next, line, read, added, present, problems } = step;
  const kept = problems.slice(0, Math.max(MAX_IMPORT_PROBLEMS - work.problemLines.length, 0));
  const lines = array(
    'int',
    kept.map((problem) => problem.line),
  );
  const texts = array(
    'text',
    kept.map(({ message }) => message),
  );
  const { numUpdatedRows } = await scope.tx
    .updateTable('suppressionImports')
    .set({
      status: 'RUNNING',
      nextOffset: next,
      nextLine: line,
      rowsRead: work.rowsRead + read,
      rowsAdded: work.rowsAdded + added,
      rowsPresent: work.rowsPresent + present,
      rowsRefused: work.rowsRefused + problems.length,
      problemLines: sql<number[]>`problem_lines || ${lines}`,
      problemTexts: sql<string[]>`problem_texts || ${texts}`,
      tries: 0,
      turnAt: scope.now,
    })
    .where('accountId', '=', work.accountId)
    .where('id', '=', work.id)
    .where('nextOffset', '=', work.nextOffset)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new Error('an import was worked off by two at once');
}

/** `failure`: why it ended early. */
export async function endImport(scope: SystemWriteScope, place: ImportPlace, failure: string | null): Promise<void> {
  await scope.tx
    .updateTable('suppressionImports')
    .set({ status: failure === null ? 'COMPLETED' : 'FAILED', failure, finishedAt: scope.now })
    .where('accountId', '=', place.accountId)
    .where('id', '=', place.id)
    .execute();
  await deletePieces(scope, place);
}

/** What failed for no fault of its own comes again later, behind the others. How often in a row that was. */
export async function putOffImport(scope: SystemWriteScope, place: ImportPlace, until: Date): Promise<number> {
  const row = await scope.tx
    .updateTable('suppressionImports')
    .set({ tries: sql<number>`tries + 1`, turnAt: until })
    .where('accountId', '=', place.accountId)
    .where('id', '=', place.id)
    .returning('tries')
    .executeTakeFirst();
  return row?.tries ?? 0;
}

/** `before`: when they were asked for. Answers how many. */
export async function deleteOldImports(
  { db }: SystemScope,
  { unsent, before, limit }: { readonly unsent: Date; readonly before: Date; readonly limit: number },
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from suppression_imports where (account_id, id) in (
      select account_id, id from suppression_imports
      where created_at < ${before}::timestamptz or (created_at < ${unsent}::timestamptz and status = 'WAITING')
      order by created_at limit ${limit})`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
