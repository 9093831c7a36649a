// The audit log of an account, newest first.
import { type AuditRow, listAudit as listRows } from '#/db/audit.ts';
import { NotFound } from '#/domain/errors.ts';
import { query } from '../define.ts';
import { checkFilterText } from '../filter-text.ts';

export interface AuditFilter {
  readonly action: string | null;
  /** Of the user or token that acted. */
  readonly actorId: string | null;
  readonly since: Date | null;
  readonly until: Date | null;
}

export interface AuditRequest {
  readonly accountId: string;
  readonly first: number;
  /** Id of the last entry seen. */
  readonly after: string | null;
  readonly filter: AuditFilter;
}

export interface AuditPage {
  readonly entries: readonly AuditRow[];
  readonly hasMore: boolean;
}

export const listAudit = query({
  permission: 'audit.read',
  errors: [NotFound],
  async run({ scope, fail }, { accountId, first, after, filter }: AuditRequest): Promise<AuditPage> {
    if (accountId !== scope.accountId) fail(new NotFound());
    checkFilterText('action', filter.action);
    const rows = await listRows(scope, { ...filter, after, limit: first + 1 });
    return { entries: rows.slice(0, first), hasMore: rows.length > first };
  },
});
