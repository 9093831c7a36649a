// Imports of a stream, newest first: how far each is, and what became of it.
import { listSuppressionImportRows, type SuppressionImportRow } from '#/db/suppression-imports.ts';
import { InvalidCursor, NotFound } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { query } from '../define.ts';
import { findStream } from './find-stream.ts';

export interface ListSuppressionImportsRequest {
  readonly streamId: string;
  readonly first: number;
  /** The cursor of an import: its public id. */
  readonly after: string | null;
}

export interface SuppressionImportPage {
  readonly imports: readonly SuppressionImportRow[];
  readonly hasMore: boolean;
}

export const listSuppressionImports = query({
  permission: 'suppression.read',
  errors: [NotFound],
  async run({ scope, fail }, input: ListSuppressionImportsRequest): Promise<SuppressionImportPage> {
    const { streamId, first, after } = input;
    const before = after === null ? null : decodeIdOf('suppressionImport', after);
    if (after !== null && before === null) throw new InvalidCursor();
    if ((await findStream(scope, streamId)) === null) fail(new NotFound());
    const imports = await listSuppressionImportRows(scope, { streamId, before, limit: first + 1 });
    return { imports: imports.slice(0, first), hasMore: imports.length > first };
  },
});
