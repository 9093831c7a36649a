// Who works for the installation, on the operator's word. It gives no right by itself: what staff see, each account's owner
// decides (resolvers/staff-access), and they need a second factor for whatever they do.
import { appendAudit } from '#/db/audit.ts';
import { scopeOfAccount, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { type StaffAccessRow, revokeAllStaffAccess } from '#/db/staff-access.ts';
import { lockUserByEmail, updateUser } from '#/db/users.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { encodeId } from '#/domain/ids.ts';
import { makeIdentity } from '../sign-up/make-identity.ts';
import type { InstallationDeps } from './bootstrap.ts';

export interface AddedStaff {
  readonly email: string;
  /** There was no identity of the address: it gets its password by a reset. */
  readonly isNew: boolean;
}

export async function addStaff(deps: InstallationDeps, text: string): Promise<AddedStaff> {
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw InvalidInput.at(['add'], parsed.reason);
  const { address } = parsed.mailbox;
  const added = await writeInSystemScope(deps.system, deps.clock.now(), async (scope) => {
    const known = await lockUserByEmail(scope, address);
    const made = known ?? (await makeIdentity(scope, deps.ids, { email: address, name: address, passwordHash: null }));
    if (made === null) throw new InvalidInput([{ path: ['add'], message: 'was made just now: try again' }]);
    await updateUser(scope, made.id, { staff: true });
    return { email: made.email, isNew: known === undefined };
  });
  deps.channel.nudge('people');
  return added;
}

/** Ends whatever they were let in for; how many that were. Null: they are no staff. */
export async function removeStaff(deps: InstallationDeps, email: string): Promise<number | null> {
  const ended = await writeInSystemScope(deps.system, deps.clock.now(), async (scope) => {
    const user = await lockUserByEmail(scope, email);
    if (user === undefined || !user.staff) return null;
    await updateUser(scope, user.id, { staff: false });
    const revoked = await revokeAllStaffAccess(scope, user.id);
    for (const grant of revoked) await auditRevocation(deps, scope, grant, user.email);
    return revoked.length;
  });
  deps.channel.nudge('people');
  return ended;
}

function auditRevocation(deps: InstallationDeps, scope: SystemWriteScope, grant: StaffAccessRow, email: string) {
  const { accountId, id } = grant;
  const actor = { kind: 'OPERATOR', accountId, label: 'command line' } as const;
  return appendAudit(
    scopeOfAccount(scope, accountId),
    deps.ids.next(),
    { actor, requestId: 'staff', ipAddress: null },
    { action: 'staffAccess.revoke', subjectIds: [encodeId('staffAccess', id)], changes: { staff: email } },
  );
}
