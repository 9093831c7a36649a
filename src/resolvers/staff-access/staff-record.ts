// What staff of the installation do to an account that they are no member of, as its audit log has it.
import { type AuditRecord, appendAudit } from '#/db/audit.ts';
import { scopeOfAccount, type SystemWriteScope } from '#/db/scope.ts';
import type { Person } from '#/domain/person.ts';
import type { Ids } from '#/runtime/ports.ts';
import type { Caller } from '../define.ts';
import type { Visitor } from '../visitor.ts';

export async function auditStaff(
  scope: SystemWriteScope,
  ids: Ids,
  caller: Caller,
  record: AuditRecord,
): Promise<void> {
  await appendAudit(scopeOfAccount(scope, caller.actor.accountId), ids.next(), caller, record);
}

export function staffCaller(
  { userId, email, session }: Person,
  { requestId, ipAddress }: Visitor,
  accountId: string,
  complianceReview = false,
): Caller {
  const actor = {
    kind: 'STAFF' as const,
    accountId,
    userId,
    sessionId: session.id,
    label: `staff ${email}`,
    complianceReview,
  };
  return { actor, requestId, ipAddress };
}
