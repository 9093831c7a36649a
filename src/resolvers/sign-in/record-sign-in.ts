// What is on record of a sign-in: complete ones in the audit log of each account of the person, all in the operator's.
import type { AuditRecord } from '#/db/audit.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Inside } from '../define.ts';
import { auditPerson, type Identity, logPerson } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import type { Visitor } from '../visitor.ts';
import type { BegunSession } from './begin-session.ts';

/** What was shown last. */
export type ShownBy = 'password' | 'TOTP' | 'PASSKEY' | 'BACKUP_CODE';

export async function auditSignIn(
  scope: SystemWriteScope,
  { ids }: Pick<Inside, 'ids'>,
  visitor: Visitor,
  begun: BegunSession,
  by: ShownBy,
): Promise<void> {
  if (begun.requirement === 'VERIFY_TWO_FACTOR') return;
  await auditPerson(scope, ids, identityOf(begun), visitor, recordOf(begun, by));
}

export function logSignIn(deps: Deps, visitor: Visitor, begun: BegunSession, by: ShownBy): void {
  logPerson(deps, identityOf(begun), visitor, recordOf(begun, by));
}

function identityOf({ user, session }: BegunSession): Identity {
  return { userId: user.id, email: user.email, sessionId: session.id };
}

function recordOf({ session, requirement, fromNewDevice }: BegunSession, by: ShownBy): AuditRecord {
  return {
    action: requirement === 'VERIFY_TWO_FACTOR' ? 'session.beginHalf' : 'session.begin',
    subjectIds: [encodeId('session', session.id)],
    changes: { by, newDevice: fromNewDevice },
  };
}
