// Works off files of suppressions, a batch of rows at a time: what a batch suppresses, its events and how far the file is
// are committed together, so a batch whose process dies never was. The lock of that transaction is all the lease there is:
// one process at a time imports for the whole installation, and another takes over the moment it is gone.
import {
  advanceImport,
  endImport,
  nextImport,
  putOffImport,
  readPieces,
  tryToImport,
} from '#/db/suppression-imports.ts';
import { scopeOfAccount, type SystemScope, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { type ImportBatch, type ImportedRow, PIECE_BYTES, readBatch, readHeader } from '#/domain/suppression-file.ts';
import { addressHash } from '#/domain/suppression.ts';
import type { Deps } from '#/resolvers/deps.ts';
import { addSuppressions } from '#/resolvers/suppressions/add-suppressions.ts';
import { findStream } from '#/resolvers/suppressions/find-stream.ts';

const LOOK_EVERY_MS = 2_000;
/** A batch that fails for no fault of the file is tried again, so often. */
const LATER_MS = 60_000;
const MAX_TRIES = 10;

interface ImportDeps {
  readonly system: SystemScope;
  readonly deps: Deps;
}

type Import = NonNullable<Awaited<ReturnType<typeof nextImport>>>;

export function startSuppressionImports({ system, deps }: ImportDeps): AsyncDisposable {
  const { clock, log } = deps;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const began = clock.monotonic();
      const worked = await importBatch({ system, deps }).catch((error: unknown) => {
        log.error({ error }, 'imports of suppressions could not be looked at; trying again');
        return false;
      });
      // As long as the batch took: an import leaves half of a connection, and of the log's time, to everybody else.
      await clock.sleep(worked ? clock.monotonic() - began : LOOK_EVERY_MS, stopping.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** False: nothing is to do, or another process does it. */
export async function importBatch({ system, deps }: ImportDeps): Promise<boolean> {
  const { clock, channel, log } = deps;
  const turn: { work?: Import | undefined } = {};
  try {
    await writeInSystemScope(system, clock.now(), async (scope) => {
      // Nothing is written until rows are: up to then the transaction holds up nobody's view of the log.
      turn.work = (await tryToImport(scope)) ? await nextImport(scope) : undefined;
      if (turn.work !== undefined) await workOn(scope, deps, turn.work);
    });
    if (turn.work !== undefined) channel.nudge('events');
  } catch (error) {
    if (turn.work === undefined) throw error;
    const importId = encodeId('suppressionImport', turn.work.id);
    log.error({ error, importId }, 'a batch of an import failed; it is tried again');
    await putOff({ system, deps }, turn.work);
  }
  return turn.work !== undefined;
}

async function workOn(scope: SystemWriteScope, deps: Deps, work: Import): Promise<void> {
  const account = scopeOfAccount(scope, work.accountId);
  const stream = await findStream(account, work.streamId);
  if (stream === null) return endImport(scope, work, 'The stream is gone.');
  const batch = await readNext(scope, work);
  if (typeof batch === 'string') return endImport(scope, work, batch);
  const wanted = eachOnce(batch.rows, work.note);
  const added = await addSuppressions(account, deps, stream, wanted);
  const { next, line, read, problems, fault } = batch;
  await advanceImport(scope, work, { next, line, read, added, present: batch.rows.length - added, problems });
  if (fault !== null) await endImport(scope, work, `Line ${fault.line} ${fault.message}`);
  else if (next === work.bytes) await endImport(scope, work, null);
}

/** A string: why nothing can be read. */
async function readNext(scope: SystemWriteScope, work: Import): Promise<ImportBatch | string> {
  const first = readHeader(await readPieces(scope, work, 0, 1));
  if (!first.ok) return `Line 1 ${first.flaw}`;
  const isFirst = work.nextOffset === 0;
  const from = isFirst
    ? { offset: first.next, line: 1 + first.lines }
    : { offset: work.nextOffset, line: work.nextLine };
  const ordinal = Math.floor(from.offset / PIECE_BYTES);
  // Two: a record that begins in the one ends in the other, since it is shorter than a piece.
  const bytes = await readPieces(scope, work, ordinal, 2);
  const base = ordinal * PIECE_BYTES;
  const batch = readBatch({ bytes, base, last: base + bytes.length === work.bytes }, from, first.columns);
  if (batch.next <= work.nextOffset && batch.fault === null) throw new Error('an import does not move on');
  return batch;
}

function eachOnce(rows: readonly ImportedRow[], note: string | null) {
  const once = new Map<string, ImportedRow>();
  for (const row of rows) if (!once.has(row.mailbox.key)) once.set(row.mailbox.key, row);
  return [...once.values()].map(({ mailbox: { address, key }, ...row }) => ({
    address,
    hash: addressHash(key),
    reason: row.reason,
    note: row.note ?? note,
  }));
}

async function putOff({ system, deps }: ImportDeps, work: Import): Promise<void> {
  const now = deps.clock.now();
  await writeInSystemScope(system, now, async (scope) => {
    const tries = await putOffImport(scope, work, new Date(now.getTime() + LATER_MS));
    if (tries >= MAX_TRIES) await endImport(scope, work, 'The rows could not be stored.');
  });
}
