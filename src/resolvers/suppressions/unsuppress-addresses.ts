// Lifts suppressions of a stream. Those of complaints stay: whoever called mail spam is not written to again because the
// sender would like to. Those of the operator are the operator's.
import type { SuppressionRow } from '#/db/suppressions.ts';
import { deleteSuppressions, listSuppressionsOf } from '#/db/suppressions.ts';
import { InvalidInput, NotFound, type SuppressedRecipient } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { findStream } from './find-stream.ts';
import { appendChanges } from './subscription-changed.ts';
import { checkCount, readAddresses } from './suppress-addresses.ts';

export interface UnsuppressAddressesRequest {
  readonly streamId: string;
  readonly addresses: readonly string[];
}

export interface UnsuppressedAddresses {
  /** Free now, those too that were before; in the order of the request. */
  readonly addresses: readonly string[];
  readonly refused: readonly SuppressedRecipient[];
}

export const unsuppressAddresses = command({
  permission: 'suppression.write',
  errors: [NotFound, InvalidInput],
  announces: ['events'],
  audit: ({ streamId }: UnsuppressAddressesRequest, { addresses, refused }: UnsuppressedAddresses) => ({
    action: 'suppression.remove',
    subjectIds: [encodeId('stream', streamId)],
    changes: { addresses: addresses.length, refused: refused.length },
  }),
  async run({ scope, inside, fail }, input) {
    const stream = (await findStream(scope, input.streamId)) ?? fail(new NotFound());
    checkCount(input.addresses);
    const { wanted, rejected } = readAddresses(input.addresses);
    if (rejected.length > 0) fail(new InvalidInput(rejected.slice(0, MAX_ISSUES)));
    const all = [...wanted.values()];
    const rows = await listSuppressionsOf(
      scope,
      [stream.id],
      all.map(({ hash }) => hash),
    );
    const byHash = new Map(rows.map((row) => [row.addressHash.toString('hex'), row]));
    const lifted = await deleteSuppressions(
      scope,
      rows.filter(mayBeLifted).map(({ id }) => id),
    );
    const refused: SuppressedRecipient[] = [];
    const addresses: string[] = [];
    const changed: string[] = [];
    for (const { address, hash } of all) {
      const row = byHash.get(hash.toString('hex'));
      if (row !== undefined && !mayBeLifted(row)) refused.push({ address, reason: row.reason });
      else addresses.push(address);
      if (row !== undefined && lifted.has(row.id)) changed.push(address);
    }
    const change = { suppressed: false, reason: null, origin: 'CUSTOMER' } as const;
    await appendChanges(
      scope,
      inside,
      stream,
      changed.map((address) => ({ address, ...change })),
    );
    return { addresses, refused };
  },
});

const MAX_ISSUES = 20;

export function mayBeLifted({ reason, origin }: Pick<SuppressionRow, 'reason' | 'origin'>): boolean {
  return reason !== 'SPAM_COMPLAINT' && origin !== 'OPERATOR';
}
