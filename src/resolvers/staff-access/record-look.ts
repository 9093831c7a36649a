// What staff of the installation look at stands in the audit log of the account before they see it.
import { appendAudit } from '#/db/audit.ts';
import { reachOf, writeInScope } from '#/db/scope.ts';
import { type Caller, logAudit } from '../define.ts';
import type { Deps } from '../deps.ts';

export async function recordLook(deps: Deps, caller: Caller, about: { readonly subjectId: string }): Promise<void> {
  const record = { action: 'staffAccess.look', subjectIds: [about.subjectId] };
  await writeInScope(deps.db, reachOf(caller.actor, null), deps.clock.now(), (scope) =>
    appendAudit(scope, deps.ids.next(), caller, record),
  );
  logAudit(deps.log, caller, record);
}
