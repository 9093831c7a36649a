// What staff of the installation look at stands in the audit log of the account before they see it.
import { type AuditRecord, appendAudit } from '#/db/audit.ts';
import { reachOf, writeInScope } from '#/db/scope.ts';
import type { Permission } from '#/domain/permissions.ts';
import { type Caller, logAudit } from '../define.ts';
import type { Deps } from '../deps.ts';

interface Look {
  /** Public ids. */
  readonly subjectIds: readonly string[];
  /** What they made use of; absent where they only found it. */
  readonly permission?: Permission;
}

export async function recordLook(deps: Deps, caller: Caller, { subjectIds, permission }: Look): Promise<void> {
  const record: AuditRecord = {
    action: 'staffAccess.look',
    subjectIds,
    ...(permission === undefined ? {} : { changes: { permission } }),
  };
  await writeInScope(deps.db, reachOf(caller.actor, null), deps.clock.now(), (scope) =>
    appendAudit(scope, deps.ids.next(), caller, record),
  );
  logAudit(deps.log, caller, record);
}
