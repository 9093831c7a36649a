// Changes what a member may do. Whoever becomes ADMIN has every server, and the grants from before go: nothing comes back
// with a later step down.
import { listGrants, findMembers, type MemberRow, replaceGrants, setRole } from '#/db/memberships.ts';
import { deleteInvitationsBy } from '#/db/invitations.ts';
import type { WriteScope } from '#/db/scope.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { AccountRole } from '#/domain/permissions.ts';
import { beforeAndAfter, type Changed } from '../audit/before-and-after.ts';
import { command } from '../define.ts';
import { checkGrants, type GrantRequest, grantsText } from './check-grants.ts';
import { lockMembers } from './lock-members.ts';

export interface UpdateMembershipRequest {
  readonly accountId: string;
  readonly userId: string;
  readonly role?: AccountRole | null | undefined;
  /** In place of all that there are; null: none. */
  readonly servers?: readonly GrantRequest[] | null | undefined;
}

interface UpdatedMembership {
  readonly member: MemberRow;
  readonly changed: Changed;
  readonly revokedInvitations: readonly string[];
}

export const updateMembership = command({
  permission: 'member.write',
  stepUp: true,
  errors: [NotFound, Conflict, InvalidInput],
  announces: ['people'],
  audit: ({ userId }: UpdateMembershipRequest, { member, changed, revokedInvitations }: UpdatedMembership) => ({
    action: 'member.update',
    subjectIds: [encodeId('user', userId), ...revokedInvitations.map((id) => encodeId('invitation', id))],
    changes: { email: member.email, ...changed },
  }),
  async run({ scope, caller, fail }, input): Promise<UpdatedMembership> {
    const { accountId, userId } = input;
    if (accountId !== scope.accountId) fail(new NotFound());
    const target = (await lockMembers(scope, caller.actor, 'ADMIN', userId)) ?? fail(new NotFound());
    if (input.role === null) fail(InvalidInput.at(['role'], 'cannot be null: leave it out to keep what it is'));
    if (target.role === 'OWNER') fail(new Conflict('The owner has every right: hand the ownership over instead.'));
    if (input.role === 'OWNER') fail(new Conflict('There is one owner: hand the ownership over instead.'));
    const before = await stateOf(scope, userId, target.role);
    const role = input.role ?? target.role;
    const grants = await grantsFor(scope, role, input.servers);
    if (role !== target.role) await setRole(scope, userId, role);
    if (grants !== undefined) await replaceGrants(scope, userId, grants);
    // What they had sent as ADMIN must not let in anybody after.
    const revokedInvitations = role === 'MEMBER' ? await deleteInvitationsBy(scope, userId) : [];
    const [member] = await findMembers(scope, [userId]);
    if (member === undefined) throw new Error('a locked membership is gone');
    return { member, changed: beforeAndAfter(before, await stateOf(scope, userId, role)), revokedInvitations };
  },
});

/** Undefined: they stay. */
async function grantsFor(
  scope: WriteScope,
  role: AccountRole,
  asked: readonly GrantRequest[] | null | undefined,
): Promise<readonly GrantRequest[] | undefined> {
  if (role === 'ADMIN') {
    if ((asked ?? []).length > 0) throw InvalidInput.at(['servers'], 'must be empty: an ADMIN has every server');
    return [];
  }
  if (asked === undefined) return undefined;
  await checkGrants(scope, asked ?? []);
  return asked ?? [];
}

async function stateOf(scope: WriteScope, userId: string, role: AccountRole) {
  return { role, servers: grantsText(await listGrants(scope, [userId])) };
}
