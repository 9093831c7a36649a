// Takes the file of an import, piece by piece into the database. There is no caller: the link proves what it is for.
import { beginUpload, completeUpload, type ImportPlace, insertPiece } from '#/db/suppression-imports.ts';
import { writeInSystemScope, writeStatement } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_IMPORT_BYTES, PIECE_BYTES, readHeader } from '#/domain/suppression-file.ts';
import type { Deps } from '../deps.ts';
import { readFileLink } from './file-link.ts';

export type Receipt =
  /** Whole and stored: it will be worked off. */
  | { readonly kind: 'received'; readonly id: string }
  /** Forged, late, or of what is gone. */
  | { readonly kind: 'unknown' }
  /** The import has its file, or another upload of it has begun since. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'tooLarge' }
  /** Nothing in it can be used; another file may be sent. */
  | { readonly kind: 'unusable'; readonly flaw: string };

/** `body` throws when its sender is gone; what is stored of it then goes with the next upload, or with the import. */
export async function receiveSuppressionFile(
  deps: Deps,
  link: string,
  body: AsyncIterable<Uint8Array>,
): Promise<Receipt> {
  const place = readFileLink(deps, 'suppression-imports', link);
  if (place === null) return { kind: 'unknown' };
  const uploadId = deps.ids.next();
  const begun = await writeInSystemScope(deps.system, deps.clock.now(), (scope) => beginUpload(scope, place, uploadId));
  if (!begun) return { kind: 'taken' };
  const refused = await storePieces(deps, place, uploadId, body);
  if (typeof refused === 'object') return refused;
  const upload = { uploadId, bytes: refused };
  const whole = await writeStatement(deps.system, deps.clock.now(), (scope) => completeUpload(scope, place, upload));
  return whole ? { kind: 'received', id: encodeId('suppressionImport', place.id) } : { kind: 'taken' };
}

/** How many bytes it was, or why it is not taken. */
async function storePieces(
  { system, clock }: Deps,
  place: ImportPlace,
  uploadId: string,
  body: AsyncIterable<Uint8Array>,
): Promise<number | Receipt> {
  let bytes = 0;
  let ordinal = 0;
  for await (const data of inPieces(body)) {
    bytes += data.length;
    if (bytes > MAX_IMPORT_BYTES) return { kind: 'tooLarge' };
    const header = ordinal === 0 ? readHeader(data) : null;
    if (header?.ok === false) return { kind: 'unusable', flaw: `line 1: ${header.flaw}` };
    const piece = { uploadId, ordinal: ordinal++, data };
    if (!(await writeStatement(system, clock.now(), (scope) => insertPiece(scope, place, piece))))
      return { kind: 'taken' };
  }
  return bytes === 0 ? { kind: 'unusable', flaw: 'the file is empty' } : bytes;
}

/** All of one length but for the last, so that an offset says which piece it is in. */
async function* inPieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + PIECE_BYTES - filled);
      piece.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < PIECE_BYTES) continue;
      yield piece;
      piece = Buffer.allocUnsafe(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
