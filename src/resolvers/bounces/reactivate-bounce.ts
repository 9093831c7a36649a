// Lifts the suppression that a bounce has caused; the bounce stays on record.
import { type BounceRow, findBounces } from '#/db/bounces.ts';
import { deleteSuppressions, findSuppressionRows } from '#/db/suppressions.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { appendChanges } from '../suppressions/subscription-changed.ts';
import { mayBeLifted } from '../suppressions/unsuppress-addresses.ts';

export const reactivateBounce = command({
  permission: 'suppression.write',
  errors: [NotFound, Conflict],
  announces: ['events'],
  audit: (_input: { readonly id: string }, bounce: BounceRow) => ({
    action: 'bounce.reactivate',
    subjectIds: [encodeId('bounce', bounce.id)],
  }),
  async run({ scope, inside, fail }, { id }) {
    const [bounce] = await findBounces(scope, [id]);
    if (bounce === undefined) return fail(new NotFound());
    const { suppressionId } = bounce;
    const [suppression] = suppressionId === null ? [] : await findSuppressionRows(scope, [suppressionId]);
    if (suppression === undefined) return fail(new Conflict('The address is not suppressed because of this bounce.'));
    if (!mayBeLifted(suppression)) fail(new Conflict('A spam complaint cannot be lifted.'));
    // Somebody else may have been faster; then the event is theirs.
    if ((await deleteSuppressions(scope, [suppression.id])).size === 0)
      fail(new Conflict('The address is not suppressed because of this bounce.'));
    const stream = { id: suppression.streamId, serverId: suppression.serverId };
    const change = { suppressed: false, reason: null, origin: 'CUSTOMER' } as const;
    await appendChanges(scope, inside, stream, [{ address: bounce.address, ...change }]);
    return bounce;
  },
});
