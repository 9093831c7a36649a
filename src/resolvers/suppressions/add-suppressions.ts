// Suppresses addresses on a stream because the customer says so, and tells of each that was not suppressed before.
import { insertSuppressions, type NewSuppression } from '#/db/suppressions.ts';
import type { WriteScope } from '#/db/scope.ts';
import type { StreamRow } from '#/db/servers.ts';
import type { SuppressionReason } from '#/domain/errors.ts';
import type { Inside } from '../define.ts';
import { appendChanges } from './subscription-changed.ts';

export interface AddedSuppression {
  readonly address: string;
  readonly hash: Buffer;
  readonly reason: SuppressionReason;
  readonly note: string | null;
}

/** Each address once. How many were not suppressed before; the others stay as they are. */
export async function addSuppressions(
  scope: WriteScope,
  inside: Inside,
  stream: Pick<StreamRow, 'id' | 'serverId'>,
  wanted: readonly AddedSuppression[],
): Promise<number> {
  const rows = wanted.map((suppression): NewSuppression & AddedSuppression => {
    const place = { accountId: scope.accountId, streamId: stream.id, id: inside.ids.next() };
    return { ...suppression, ...place, origin: 'CUSTOMER' };
  });
  const added = await insertSuppressions(scope, rows);
  const changed = rows.filter(({ id }) => added.has(id));
  await appendChanges(
    scope,
    inside,
    stream,
    changed.map(({ address, reason }) => ({ address, suppressed: true, reason, origin: 'CUSTOMER' })),
  );
  return changed.length;
}
