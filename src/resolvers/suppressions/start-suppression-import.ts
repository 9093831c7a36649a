// Begins the import of a file: answers where to put it. What is in it is worked off later, by src/maintenance.
import { lockAccount } from '#/db/accounts.ts';
import {
  countOpenImports,
  findSuppressionImports,
  insertSuppressionImport,
  type SuppressionImportRow,
} from '#/db/suppression-imports.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_OPEN_IMPORTS, UPLOAD_MINUTES } from '#/domain/suppression-file.ts';
import { command } from '../define.ts';
import { type FileLink, makeFileLink } from './file-link.ts';
import { findStream } from './find-stream.ts';
import { checkNote } from './suppress-addresses.ts';

export interface StartSuppressionImportRequest {
  readonly streamId: string;
  /** Of addresses that bring none of their own. */
  readonly note: string | null;
}

export interface StartedSuppressionImport {
  readonly row: SuppressionImportRow;
  readonly upload: FileLink;
}

export const startSuppressionImport = command({
  permission: 'suppression.write',
  errors: [NotFound, InvalidInput, LimitReached],
  audit: ({ streamId }: StartSuppressionImportRequest, { row }: StartedSuppressionImport) => ({
    action: 'suppression.import',
    subjectIds: [encodeId('suppressionImport', row.id), encodeId('stream', streamId)],
  }),
  prepare: async ({ deps }) => deps,
  async run({ scope, inside, caller, prepared, fail }, input) {
    const stream = (await findStream(scope, input.streamId)) ?? fail(new NotFound());
    const note = checkNote(input.note);
    await lockAccount(scope);
    if ((await countOpenImports(scope)) >= MAX_OPEN_IMPORTS)
      fail(new LimitReached('imports of an account at a time', MAX_OPEN_IMPORTS));
    const id = inside.ids.next();
    const upload = makeFileLink(prepared, 'suppression-imports', { accountId: scope.accountId, id }, UPLOAD_MINUTES);
    const startedBy = caller.actor.label;
    await insertSuppressionImport(scope, {
      id,
      streamId: stream.id,
      note,
      startedBy,
      uploadUntil: upload.expiresAt,
    });
    const [row] = await findSuppressionImports(scope, [id]);
    if (row === undefined) throw new Error('an import that was just made is gone');
    return { row, upload };
  },
});
