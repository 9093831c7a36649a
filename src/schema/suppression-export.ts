// Suppressions as a file to download.
import { EXPORT_MINUTES } from '#/domain/suppression-file.ts';
import { exportSuppressions } from '#/resolvers/suppressions/export-suppressions.ts';
import type { FileLink } from '#/resolvers/suppressions/file-link.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { callerAt } from './locate.ts';

const SuppressionExport = builder.objectRef<FileLink>('SuppressionExport').implement({
  description: 'Where the suppressions of a stream are to be had: whoever knows the link has them.',
  fields: (t) => ({
    url: t.exposeString('url', {
      description:
        'Answers GET, without a token, with CSV in UTF-8 while it is made: address, reason, origin, created_at and note, newest first. A field that a spreadsheet would take for a formula has an apostrophe before it, which an import takes off. Addresses that were forgotten on their owner’s demand are not in it.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when a download may begin.' }),
  }),
});

const ExportSuppressionsInput = builder.inputType('ExportSuppressionsInput', {
  description: 'What to export.',
  fields: (t) => ({ streamId: t.id({ description: 'The stream whose suppressions they are.' }) }),
});

const ExportSuppressionsResult = resultUnion(
  'ExportSuppressionsResult',
  SuppressionExport,
  exportSuppressions,
  'The link, or why there is none.',
);

builder.mutationFields((t) => ({
  exportSuppressions: t.withAuth(onId(exportSuppressions, 'stream', 'input.streamId')).field({
    type: ExportSuppressionsResult,
    nullable: true,
    description: guarded(
      exportSuppressions.permission,
      `A link to all suppressions of a stream as a file, for ${EXPORT_MINUTES} minutes. Nothing has to be waited for: the file is made while it is fetched.`,
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: ExportSuppressionsInput, description: 'The stream.' }) },
    resolve: async (_root, { input }, context) => {
      const streamId = uuidOf('stream', input.streamId);
      const caller = await callerAt(context, exportSuppressions.permission, 'stream', streamId);
      return exportSuppressions(context.deps, caller, { streamId });
    },
  }),
}));
