// Raw notifications as they are stored: compressed, and no more of one than anybody reads.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { findReturnedSources } from '#/db/returned-mails.ts';
import type { ReadScope } from '#/db/scope.ts';

/** Reports carry their news first; the returned message behind them may have tens of megabytes. As read-report.ts reads. */
export const MAX_KEPT_SOURCE = 512 * 1024;

/** As Postmark keeps them. */
export const SOURCE_DAYS = 30;

export function packSource(source: Uint8Array): Buffer {
  return zstdCompressSync(source.subarray(0, MAX_KEPT_SOURCE), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** By the ids of bounces that the scope has found; missing where it is kept no more, or there was none. */
export async function readReturnedSources(
  scope: ReadScope,
  bounceIds: readonly string[],
): Promise<Map<string, string>> {
  const found = await findReturnedSources(scope, bounceIds);
  return new Map(
    [...found].map(([id, packed]) => [
      id,
      zstdDecompressSync(packed, { maxOutputLength: MAX_KEPT_SOURCE }).toString('utf8'),
    ]),
  );
}
