// The account's record of every act that matters for its security. Written by the `command` wrapper, in the command's
// own transaction; never changed.
import { type Actor, actorIdOf } from '#/domain/actor.ts';
import type { WriteScope } from './scope.ts';

export interface AuditRecord {
  /** e.g. `stream.create`. */
  readonly action: string;
  /** Public ids of what it was done to. */
  readonly subjectIds: readonly string[];
  /** Before and after, without secrets. */
  readonly changes?: Readonly<Record<string, unknown>>;
}

export interface AuditedCaller {
  readonly actor: Actor;
  readonly requestId: string;
  readonly ipAddress: string | null;
}

export async function appendAudit(
  scope: WriteScope,
  id: string,
  caller: AuditedCaller,
  record: AuditRecord,
): Promise<void> {
  const { actor } = caller;
  await scope.tx
    .insertInto('auditLog')
    .values({
      accountId: scope.accountId,
      id,
      occurredAt: scope.now,
      action: record.action,
      actorKind: actor.kind,
      actorId: actorIdOf(actor),
      actorLabel: actor.label,
      ipAddress: caller.ipAddress,
      requestId: caller.requestId,
      sessionId: 'sessionId' in actor ? actor.sessionId || null : null,
      subjectIds: [...record.subjectIds],
      changes: record.changes === undefined ? null : JSON.stringify(record.changes),
    })
    .execute();
}
