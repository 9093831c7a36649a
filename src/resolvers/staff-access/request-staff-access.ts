// One of the installation's staff asks the owner of an account to be let in, with a reason and an end.
import { isOpenToStaff } from '#/db/accounts.ts';
import { listOwnerAddresses } from '#/db/domains.ts';
import { scopeOfAccount } from '#/db/scope.ts';
import { insertStaffAccess, listUnanswered, type NamedStaffAccess } from '#/db/staff-access.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { STAFF_REQUEST_DAYS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { staffAccessState } from '#/domain/staff-access.ts';
import { logAudit } from '../define.ts';
import { personalCommand } from '../define-personal.ts';
import { letterOf } from '../system-mail/letter.ts';
import { checkedReason, type StaffAccessRequest } from './staff-input.ts';
import { auditStaff, staffCaller } from './staff-record.ts';

export const requestStaffAccess = personalCommand({
  state: 'STAFF',
  stepUp: true,
  errors: [InvalidInput, NotFound, Conflict],
  // It stands in the log of the account that is asked, and not in those of the accounts that the person is a member of.
  audit: () => null,
  prepare: async (_context, input: StaffAccessRequest) => ({ reason: checkedReason(input) }),
  async run({ scope, inside, visitor, person, prepared, fail }, { accountId, hours }): Promise<NamedStaffAccess> {
    if (!(await isOpenToStaff(scope, accountId))) fail(new NotFound());
    const account = scopeOfAccount(scope, accountId);
    const waiting = await listUnanswered(account, person.userId);
    if (waiting.some((one) => staffAccessState(one, scope.now) === 'REQUESTED')) {
      fail(new Conflict('A request of yours waits for the answer of the owner already.'));
    }
    const grant = {
      accountId,
      id: inside.ids.next(),
      userId: person.userId,
      reason: prepared.reason,
      complianceReview: false,
      hours,
      requestedAt: scope.now,
      answeredAt: null,
      granted: null,
      expiresAt: null,
      revokedAt: null,
    };
    await insertStaffAccess(account, grant);
    await auditStaff(scope, inside.ids, staffCaller(person, visitor, accountId), recordOf(grant));
    return { ...grant, email: person.email };
  },
  async afterwards({ deps, visitor, person }, { accountId }, grant) {
    logAudit(deps.log, staffCaller(person, visitor, accountId), recordOf(grant));
    for (const to of await listOwnerAddresses(deps.db, accountId)) {
      const letter = letterOf({
        to,
        subject: 'Somebody of the staff asks to see your account',
        paragraphs: [
          `${person.email}, of the staff of this installation of Veredus, asks to see your account for ${grant.hours} hours. The reason:`,
          grant.reason,
          'They would see its settings, people, servers and messages, but no bodies of messages, and could change nothing. All that they look at stands in the audit log.',
        ],
        afterword: `Nobody sees anything before you have answered; after ${STAFF_REQUEST_DAYS} days the request ends by itself. The request is ${encodeId('staffAccess', grant.id)}.`,
      });
      await deps.systemMail.send(deps, letter);
    }
  },
});

function recordOf({ id, reason, hours }: Pick<NamedStaffAccess, 'id' | 'reason' | 'hours'>) {
  return { action: 'staffAccess.request', subjectIds: [encodeId('staffAccess', id)], changes: { reason, hours } };
}
