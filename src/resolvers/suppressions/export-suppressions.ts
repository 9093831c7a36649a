// A link to the suppressions of a stream as a file, and the file behind it: written while it is fetched, page by page, so
// that nothing is stored and nothing grows with the list.
import { pageForBearer, streamForBearer, type ExportedSuppression } from '#/db/suppressions.ts';
import { csvLine } from '#/domain/csv.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { EXPORT_HEADER, EXPORT_MINUTES } from '#/domain/suppression-file.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';
import { type FileLink, makeFileLink, readFileLink } from './file-link.ts';
import { findStream } from './find-stream.ts';

/** Rows of one query: some hundred kilobytes. */
const PAGE = 2_000;

export interface ExportSuppressionsRequest {
  readonly streamId: string;
}

/** A command, though it changes nothing: that somebody took all the addresses belongs into the audit log. */
export const exportSuppressions = command({
  permission: 'suppression.read',
  errors: [NotFound],
  audit: ({ streamId }: ExportSuppressionsRequest, _link: FileLink) => ({
    action: 'suppression.export',
    subjectIds: [encodeId('stream', streamId)],
  }),
  prepare: async ({ deps }) => deps,
  async run({ scope, prepared, fail }, { streamId }) {
    const { id } = (await findStream(scope, streamId)) ?? fail(new NotFound());
    return makeFileLink(prepared, 'suppression-exports', { accountId: scope.accountId, id }, EXPORT_MINUTES);
  },
});

export interface OpenedExport {
  readonly name: string;
  /** Some lines at a time; each asks the database only when it is wanted. */
  readonly content: AsyncIterable<string>;
}

/** `link`: what follows the path. Null: forged, late, or of what is gone. */
export async function openSuppressionExport(deps: Deps, link: string): Promise<OpenedExport | null> {
  const place = readFileLink(deps, 'suppression-exports', link);
  if (place === null) return null;
  const stream = { accountId: place.accountId, streamId: place.id };
  const slug = await streamForBearer(deps.system, stream);
  return slug === null ? null : { name: `suppressions-${slug}.csv`, content: linesOf(deps, stream) };
}

/** Newest first: what is suppressed meanwhile does not make it longer. */
async function* linesOf(
  { system }: Deps,
  stream: { readonly accountId: string; readonly streamId: string },
): AsyncGenerator<string> {
  yield EXPORT_HEADER;
  for (let before: string | null = null; ; ) {
    const rows: readonly ExportedSuppression[] = await pageForBearer(system, stream, { before, limit: PAGE });
    before = rows.at(-1)?.id ?? null;
    const lines = rows.map(lineOf).join('');
    if (lines !== '') yield lines;
    if (rows.length < PAGE) return;
  }
}

/** Addresses that were forgotten have nothing to say. */
function lineOf({ address, reason, origin, createdAt, note }: ExportedSuppression): string {
  return address === null ? '' : csvLine([address, reason, origin, createdAt.toISOString(), note ?? '']);
}
