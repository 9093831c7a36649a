// The owner of an account lets one of the installation's staff in for a time, or does not.
import { lockStaffAccess, type NamedStaffAccess, updateStaffAccess } from '#/db/staff-access.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { minutesAfter } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { staffAccessState } from '#/domain/staff-access.ts';
import { command } from '../define.ts';
import { lockActor } from '../members/lock-members.ts';
import { letterOf } from '../system-mail/letter.ts';
import { checkHours } from './staff-input.ts';

export interface AnswerStaffAccessRequest {
  readonly id: string;
  readonly grant: boolean;
  /** Null: as many as were asked for. */
  readonly hours: number | null;
}

export const answerStaffAccessRequest = command({
  permission: 'staffAccess.write',
  stepUp: true,
  errors: [NotFound, Conflict, InvalidInput],
  announces: ['people'],
  audit: ({ id, grant }: AnswerStaffAccessRequest, { email, expiresAt }: NamedStaffAccess) => ({
    action: grant ? 'staffAccess.grant' : 'staffAccess.deny',
    subjectIds: [encodeId('staffAccess', id)],
    changes: { staff: email, expiresAt: expiresAt?.toISOString() ?? null },
  }),
  async run({ scope, caller, fail }, { id, grant, hours }): Promise<NamedStaffAccess> {
    await lockActor(scope, caller.actor, 'OWNER');
    const asked = (await lockStaffAccess(scope, id)) ?? fail(new NotFound());
    if (staffAccessState(asked, scope.now) !== 'REQUESTED') fail(new Conflict('This request waits for no answer.'));
    const issues = collectIssues();
    if (hours !== null) checkHours(hours, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const answer = {
      answeredAt: scope.now,
      granted: grant,
      expiresAt: grant ? minutesAfter(scope.now, (hours ?? asked.hours) * 60) : null,
    };
    await updateStaffAccess(scope, id, answer);
    return { ...asked, ...answer };
  },
  afterwards: ({ deps }, { grant }, { accountId, email, expiresAt }) =>
    deps.systemMail.send(
      deps,
      letterOf({
        to: email,
        subject: grant ? 'You may see an account' : 'You may not see an account',
        paragraphs: [
          `The owner of ${encodeId('account', accountId)} has ${grant ? `let you in until ${expiresAt?.toISOString()}` : 'not let you in'}.`,
        ],
      }),
    ),
});
