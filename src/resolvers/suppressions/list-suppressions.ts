// Suppressions of a stream that pass a filter, newest first.
import { searchSuppressions, type SuppressionRow } from '#/db/suppressions.ts';
import type { SuppressionOrigin } from '#/db/tables.gen.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { BadUserInput, InvalidCursor, NotFound, type SuppressionReason } from '#/domain/errors.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { addressHash } from '#/domain/suppression.ts';
import { query } from '../define.ts';
import { findStream } from './find-stream.ts';

export interface SuppressionFilter {
  readonly address?: string | null | undefined;
  readonly reason?: SuppressionReason | null | undefined;
  readonly origin?: SuppressionOrigin | null | undefined;
  /** Inclusive. */
  readonly since?: Date | null | undefined;
  /** Exclusive. */
  readonly until?: Date | null | undefined;
}

export interface ListSuppressionsRequest {
  readonly streamId: string;
  readonly first: number;
  /** The cursor of a suppression: its public id. */
  readonly after: string | null;
  readonly filter: SuppressionFilter;
}

export interface SuppressionPage {
  readonly suppressions: readonly SuppressionRow[];
  readonly hasMore: boolean;
}

export const listSuppressions = query({
  permission: 'suppression.read',
  errors: [NotFound],
  async run({ scope, fail }, { streamId, first, after, filter }: ListSuppressionsRequest): Promise<SuppressionPage> {
    const before = after === null ? null : decodeIdOf('suppression', after);
    if (after !== null && before === null) throw new InvalidCursor();
    if ((await findStream(scope, streamId)) === null) fail(new NotFound());
    const suppressions = await searchSuppressions(scope, {
      streamId,
      before,
      limit: first + 1,
      hash: typeof filter.address === 'string' ? hashOf(filter.address) : null,
      reason: filter.reason ?? null,
      origin: filter.origin ?? null,
      since: filter.since ?? null,
      until: filter.until ?? null,
    });
    return { suppressions: suppressions.slice(0, first), hasMore: suppressions.length > first };
  },
});

function hashOf(text: string): Buffer {
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw new BadUserInput(`filter.address: ${parsed.reason}.`);
  return addressHash(parsed.mailbox.key);
}
