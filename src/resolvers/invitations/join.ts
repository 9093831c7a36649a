// The step from invitation to membership, inside the transaction of whoever takes it, and what is on record of it.
import { type AuditRecord, appendAudit } from '#/db/audit.ts';
import { deleteInvitation, type InvitationRow, listInvitationGrants, type ServerGrant } from '#/db/invitations.ts';
import { insertMembership, replaceGrants } from '#/db/memberships.ts';
import { scopeOfAccount, type SystemWriteScope } from '#/db/scope.ts';
import type { UserRow } from '#/db/users.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Ids } from '#/runtime/ports.ts';
import { logPerson } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { grantsText } from '../members/check-grants.ts';
import type { BegunSession } from '../sign-in/begin-session.ts';
import type { Visitor } from '../visitor.ts';

/** Uses the invitation up. Answers the way to put it on record, once there is a session to name. */
export async function join(scope: SystemWriteScope, invitation: InvitationRow, user: UserRow) {
  const { accountId, id, role } = invitation;
  const account = scopeOfAccount(scope, accountId);
  // Those of servers that were deleted since are gone.
  const grants = await listInvitationGrants(account, [id]);
  await deleteInvitation(account, id);
  // Somebody who has become a member by another way keeps what they have.
  if (await insertMembership(account, user.id, role)) await replaceGrants(account, user.id, grants);
  return (ids: Ids, { requestId, ipAddress }: Visitor, { session }: BegunSession) => {
    const actor = {
      kind: 'USER' as const,
      accountId,
      userId: user.id,
      sessionId: session.id,
      label: user.email,
      role,
      grants: new Map<string, never>(),
      provedUntil: null,
    };
    return appendAudit(account, ids.next(), { actor, requestId, ipAddress }, recordOf(invitation, user.id, grants));
  };
}

/** For the operator. */
export function recordJoined(deps: Deps, visitor: Visitor, { user, session }: BegunSession, invitation: InvitationRow) {
  const identity = { userId: user.id, email: user.email, sessionId: session.id };
  logPerson(deps, identity, visitor, recordOf(invitation, user.id, []));
}

function recordOf({ id, email, role }: InvitationRow, userId: string, grants: readonly ServerGrant[]): AuditRecord {
  return {
    action: 'invitation.accept',
    subjectIds: [encodeId('invitation', id), encodeId('user', userId)],
    changes: { email, role, servers: grantsText(grants) },
  };
}
