// One of the installation's staff looks at an account without being let in, because the law or the terms ask for it. It has
// a reason and an end, and the owner is told at once.
import { isOpenToStaff } from '#/db/accounts.ts';
import { listOwnerAddresses } from '#/db/domains.ts';
import { scopeOfAccount } from '#/db/scope.ts';
import { insertStaffAccess, type NamedStaffAccess } from '#/db/staff-access.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { minutesAfter } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { logAudit } from '../define.ts';
import { personalCommand } from '../define-personal.ts';
import { letterOf } from '../system-mail/letter.ts';
import { checkedReason, type StaffAccessRequest } from './staff-input.ts';
import { auditStaff, staffCaller } from './staff-record.ts';

export const openComplianceReview = personalCommand({
  state: 'STAFF',
  stepUp: true,
  errors: [InvalidInput, NotFound],
  announces: ['people'],
  // It stands in the log of the account that is looked at, and not in those of the accounts that the person is a member of.
  audit: () => null,
  prepare: async (_context, input: StaffAccessRequest) => ({ reason: checkedReason(input) }),
  async run({ scope, inside, visitor, person, prepared, fail }, { accountId, hours }): Promise<NamedStaffAccess> {
    if (!(await isOpenToStaff(scope, accountId))) fail(new NotFound());
    const grant = {
      accountId,
      id: inside.ids.next(),
      userId: person.userId,
      reason: prepared.reason,
      complianceReview: true,
      hours,
      requestedAt: scope.now,
      answeredAt: scope.now,
      granted: true,
      expiresAt: minutesAfter(scope.now, hours * 60),
      revokedAt: null,
    };
    await insertStaffAccess(scopeOfAccount(scope, accountId), grant);
    await auditStaff(scope, inside.ids, staffCaller(person, visitor, accountId, true), recordOf(grant));
    return { ...grant, email: person.email };
  },
  async afterwards({ deps, visitor, person }, { accountId }, grant) {
    logAudit(deps.log, staffCaller(person, visitor, accountId, true), recordOf(grant));
    for (const to of await listOwnerAddresses(deps.db, accountId)) {
      const letter = letterOf({
        to,
        subject: 'A compliance review of your account has begun',
        paragraphs: [
          `${person.email}, of the staff of this installation of Veredus, looks at your account for ${grant.hours} hours, bodies of messages included. The reason:`,
          grant.reason,
          'They can change nothing, and all that they look at stands in the audit log of the account.',
        ],
      });
      await deps.systemMail.send(deps, letter);
    }
  },
});

function recordOf({ id, reason, hours }: Pick<NamedStaffAccess, 'id' | 'reason' | 'hours'>) {
  return { action: 'staffAccess.review', subjectIds: [encodeId('staffAccess', id)], changes: { reason, hours } };
}
