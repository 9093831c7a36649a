// The owner of an account ends what they have given to one of the installation's staff.
import { lockStaffAccess, type NamedStaffAccess, updateStaffAccess } from '#/db/staff-access.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { staffAccessState } from '#/domain/staff-access.ts';
import { command } from '../define.ts';
import { lockActor } from '../members/lock-members.ts';

export const revokeStaffAccess = command({
  permission: 'staffAccess.write',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['people'],
  audit: ({ id }: { readonly id: string }, { email }: NamedStaffAccess) => ({
    action: 'staffAccess.revoke',
    subjectIds: [encodeId('staffAccess', id)],
    changes: { staff: email },
  }),
  async run({ scope, caller, fail }, { id }): Promise<NamedStaffAccess> {
    await lockActor(scope, caller.actor, 'OWNER');
    const grant = (await lockStaffAccess(scope, id)) ?? fail(new NotFound());
    switch (staffAccessState(grant, scope.now)) {
      case 'ACTIVE':
        break;
      case 'COMPLIANCE_REVIEW':
        return fail(new Conflict('A compliance review is not yours to end.'));
      case 'REQUESTED':
        return fail(new Conflict('This request waits for an answer: deny it.'));
      default:
        return fail(new Conflict('It has ended already.'));
    }
    await updateStaffAccess(scope, id, { revokedAt: scope.now });
    return { ...grant, revokedAt: scope.now };
  },
});
