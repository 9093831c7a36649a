// Takes somebody's membership: from their next request on they see nothing of the account, and what they follow ends. The
// identity stays, for other accounts.
import { type AccountRow, findAccount } from '#/db/accounts.ts';
import { deleteInvitationsBy } from '#/db/invitations.ts';
import { deleteMembership, findMembers } from '#/db/memberships.ts';
import type { WriteScope } from '#/db/scope.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { AccountRole } from '#/domain/permissions.ts';
import { command } from '../define.ts';
import { lockMembers } from './lock-members.ts';

export interface RemoveMemberRequest {
  readonly accountId: string;
  readonly userId: string;
}

interface RemovedMember {
  readonly account: AccountRow;
  readonly email: string;
  readonly role: AccountRole;
  readonly revokedInvitations: readonly string[];
}

const record =
  (action: string) =>
  ({ userId }: RemoveMemberRequest, { email, role, revokedInvitations }: RemovedMember) => ({
    action,
    subjectIds: [encodeId('user', userId), ...revokedInvitations.map((id) => encodeId('invitation', id))],
    changes: { email, role },
  });

export const removeMember = command({
  permission: 'member.write',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['people'],
  audit: record('member.remove'),
  run: async ({ scope, caller, fail }, { accountId, userId }): Promise<RemovedMember> => {
    if (accountId !== scope.accountId) fail(new NotFound());
    const target = (await lockMembers(scope, caller.actor, 'ADMIN', userId)) ?? fail(new NotFound());
    if (target.role === 'OWNER') fail(new Conflict('The owner cannot be removed: the ownership is handed over first.'));
    const [member] = await findMembers(scope, [userId]);
    if (member === undefined) throw new Error('a locked membership is gone');
    return remove(scope, member);
  },
});

/** What every member may do with their own membership. */
export const leaveAccount = command({
  permission: 'account.read',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['people'],
  audit: record('member.leave'),
  run: async ({ scope, caller, fail }, { accountId, userId }): Promise<RemovedMember> => {
    const { actor } = caller;
    if (accountId !== scope.accountId || actor.kind !== 'USER' || actor.userId !== userId) fail(new NotFound());
    const own = (await lockMembers(scope, actor, 'MEMBER', userId)) ?? fail(new NotFound());
    if (own.role === 'OWNER') fail(new Conflict('The owner cannot leave: the ownership is handed over first.'));
    return remove(scope, { userId, email: actor.label, role: own.role });
  },
});

async function remove(
  scope: WriteScope,
  { userId, email, role }: { readonly userId: string; readonly email: string; readonly role: AccountRole },
): Promise<RemovedMember> {
  const account = await findAccount(scope);
  if (account === undefined) throw new Error('a membership without its account');
  await deleteMembership(scope, userId);
  // What they had sent must not let in anybody after.
  const revokedInvitations = await deleteInvitationsBy(scope, userId);
  return { account, email, role, revokedInvitations };
}
