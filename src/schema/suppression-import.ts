// Imports of suppressions from files: begun by a mutation, sent over HTTP, worked off in the background, and followed here.
import type { SuppressionImportRow } from '#/db/suppression-imports.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_SUPPRESSION_NOTE } from '#/domain/suppression.ts';
import {
  IMPORT_KEPT_DAYS,
  MAX_IMPORT_BYTES,
  MAX_IMPORT_PROBLEMS,
  MAX_OPEN_IMPORTS,
  type Problem,
  UPLOAD_MINUTES,
} from '#/domain/suppression-file.ts';
import type { FileLink } from '#/resolvers/suppressions/file-link.ts';
import { listSuppressionImports } from '#/resolvers/suppressions/list-suppression-imports.ts';
import {
  startSuppressionImport,
  type StartedSuppressionImport as Started,
} from '#/resolvers/suppressions/start-suppression-import.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { resultUnion } from './errors.ts';
import { onId, onItsServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { callerAt } from './locate.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { MessageStream } from './stream.ts';

const ImportStatus = builder.enumType('SuppressionImportStatus', {
  description: 'How far an import is.',
  values: {
    WAITING: { description: 'For its file.' },
    EXPIRED: { description: 'No file came in time; begin another.' },
    QUEUED: { description: 'The file is there and will be worked off.' },
    RUNNING: { description: 'It is being worked off; the counts tell how far.' },
    COMPLETED: { description: 'All rows were read. Some may have been refused.' },
    FAILED: {
      description:
        'The file could not be read to its end: failure says why. What was added stays; the same file, mended, may be sent again.',
    },
  } as const,
});

const ImportProblem = builder.objectRef<Problem>('SuppressionImportProblem').implement({
  description: 'A row that was refused.',
  fields: (t) => ({
    line: t.exposeInt('line', { description: 'The line of the file on which it begins, from 1.' }),
    message: t.exposeString('message', { description: 'What is wrong with it.' }),
  }),
});

const SuppressionImport = builder.objectRef<SuppressionImportRow>('SuppressionImport').implement({
  description: `A file of addresses to suppress, and what became of it. Kept ${IMPORT_KEPT_DAYS} days.`,
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, imp_….', resolve: ({ id }) => encodeId('suppressionImport', id) }),
    status: t.field({
      type: ImportStatus,
      description: 'How far it is.',
      resolve: ({ status, uploadUntil }, _args, { deps }) =>
        status === 'WAITING' && uploadUntil <= deps.clock.now() ? 'EXPIRED' : status,
    }),
    note: t.exposeString('note', { nullable: true, description: 'Of addresses that brought none of their own.' }),
    startedBy: t.exposeString('startedBy', {
      description: 'The label of the token, or the email address of the person.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was begun.' }),
    uploadedAt: t.expose('uploadedAt', { type: 'DateTime', nullable: true, description: 'When its file was there.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it had ended.' }),
    bytes: t.exposeInt('bytes', { description: 'Size of the file; 0 until it is there.' }),
    bytesRead: t.exposeInt('nextOffset', { description: 'How far in the file it is.' }),
    rows: t.exposeInt('rowsRead', { description: 'Rows read so far: added, alreadySuppressed and refused together.' }),
    added: t.exposeInt('rowsAdded', { description: 'Addresses that are suppressed because of it.' }),
    alreadySuppressed: t.exposeInt('rowsPresent', {
      description: 'Rows of addresses that were suppressed already, in the file or before it; these stay as they were.',
    }),
    refused: t.exposeInt('rowsRefused', { description: 'Rows that say nothing usable.' }),
    problems: t.field({
      type: [ImportProblem],
      description: `The first ${MAX_IMPORT_PROBLEMS} rows that were refused.`,
      resolve: ({ problemLines, problemTexts }) =>
        problemLines.map((line, index) => ({ line, message: problemTexts[index] ?? '' })),
    }),
    failure: t.exposeString('failure', { nullable: true, description: 'Why it FAILED.' }),
  }),
});

const SuppressionImportConnection = builder.connectionObject(
  { type: SuppressionImport, name: 'SuppressionImportConnection', description: 'A page of imports.' },
  { name: 'SuppressionImportEdge', description: 'An import in its list.' },
);

builder.objectField(MessageStream, 'suppressionImports', (t) =>
  t.withAuth(onItsServer(listSuppressionImports.permission)).field({
    type: SuppressionImportConnection,
    description: guarded(listSuppressionImports.permission, 'Imports of suppressions, newest first.'),
    extensions: { cost: 5 },
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
    },
    resolve: async ({ id, accountId }, args, context) => {
      const { deps, caller } = within(context, accountId);
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const page = await listSuppressionImports(deps, caller, { streamId: id, first, after });
      return connectionOf(page.imports, { hasMore: page.hasMore, after }, (row) =>
        encodeId('suppressionImport', row.id),
      );
    },
  }),
);

const SuppressionUpload = builder.objectRef<FileLink>('SuppressionUpload').implement({
  description: 'Where the file of an import goes: whoever knows the link may send it, once.',
  fields: (t) => ({
    url: t.exposeString('url', {
      description: `Takes the file as the body of a PUT, without a token: CSV in UTF-8 of at most ${MAX_IMPORT_BYTES} bytes. Its first row names the columns: address (or email, as exports of other providers have it) must be there; reason (HARD_BOUNCE, UNSUBSCRIBE; all else is MANUAL) and note are read; others are not. Answers 202 when the file is stored, 422 when its header is not usable. An upload that was cut may be repeated.`,
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when.' }),
  }),
});

const StartSuppressionImportInput = builder.inputType('StartSuppressionImportInput', {
  description: 'An import to begin.',
  fields: (t) => ({
    streamId: t.id({ description: 'The stream that the addresses get no mail of.' }),
    note: t.string({
      required: false,
      description: `For addresses that bring none of their own; one line of at most ${MAX_SUPPRESSION_NOTE} characters.`,
    }),
  }),
});

const StartedSuppressionImport = builder.objectRef<Started>('StartedSuppressionImport').implement({
  description: 'An import that waits for its file.',
  fields: (t) => ({
    import: t.field({ type: SuppressionImport, description: 'To be looked at again.', resolve: ({ row }) => row }),
    upload: t.field({
      type: SuppressionUpload,
      description: `Where its file goes, within ${UPLOAD_MINUTES} minutes.`,
      resolve: ({ upload }) => upload,
    }),
  }),
});

const StartSuppressionImportResult = resultUnion(
  'StartSuppressionImportResult',
  StartedSuppressionImport,
  startSuppressionImport,
  'Where to send the file, or why there is no import.',
);

builder.mutationFields((t) => ({
  startSuppressionImport: t.withAuth(onId(startSuppressionImport, 'stream', 'input.streamId')).field({
    type: StartSuppressionImportResult,
    nullable: true,
    description: guarded(
      startSuppressionImport.permission,
      `Begins to suppress the addresses of a file, in the background: answers where to send it, and the import, whose counts tell how far it is. An account has at most ${MAX_OPEN_IMPORTS} under way.`,
    ),
    extensions: { cost: 50 },
    args: { input: t.arg({ type: StartSuppressionImportInput, description: 'The import.' }) },
    resolve: async (_root, { input }, context) => {
      const streamId = uuidOf('stream', input.streamId);
      const caller = await callerAt(context, startSuppressionImport.permission, 'stream', streamId);
      return startSuppressionImport(context.deps, caller, { streamId, note: input.note ?? null });
    },
  }),
}));
