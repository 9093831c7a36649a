// One of the installation's staff gives back what they no longer need: a request, a grant, a compliance review.
import { scopeOfAccount } from '#/db/scope.ts';
import { lockOwnStaffAccess, type NamedStaffAccess, updateStaffAccess } from '#/db/staff-access.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { staffAccessState } from '#/domain/staff-access.ts';
import { logAudit } from '../define.ts';
import { personalCommand } from '../define-personal.ts';
import { auditStaff, staffCaller } from './staff-record.ts';

const OPEN: ReadonlySet<string> = new Set(['REQUESTED', 'ACTIVE', 'COMPLIANCE_REVIEW']);

export const endStaffAccess = personalCommand({
  state: 'STAFF',
  errors: [NotFound, Conflict],
  announces: ['people'],
  // It stands in the log of the account that it is about, and not in those of the accounts that the person is a member of.
  audit: () => null,
  async run({ scope, inside, visitor, person, fail }, { id }: { readonly id: string }): Promise<NamedStaffAccess> {
    const grant = (await lockOwnStaffAccess(scope, person.userId, id)) ?? fail(new NotFound());
    if (!OPEN.has(staffAccessState(grant, scope.now))) fail(new Conflict('It has ended already.'));
    await updateStaffAccess(scopeOfAccount(scope, grant.accountId), id, { revokedAt: scope.now });
    await auditStaff(scope, inside.ids, staffCaller(person, visitor, grant.accountId), recordOf(id));
    return { ...grant, revokedAt: scope.now };
  },
  afterwards: async ({ deps, visitor, person }, { id }, { accountId }) =>
    logAudit(deps.log, staffCaller(person, visitor, accountId), recordOf(id)),
});

function recordOf(id: string) {
  return { action: 'staffAccess.end', subjectIds: [encodeId('staffAccess', id)] };
}
