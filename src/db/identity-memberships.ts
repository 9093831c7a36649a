// The accounts of one person, for use-cases about people.
import type { AccountRole } from '#/domain/permissions.ts';
import type { SystemWriteScope } from './scope.ts';

export function listMemberships(
  scope: SystemWriteScope,
  userId: string,
): Promise<{ accountId: string; role: AccountRole }[]> {
  return scope.tx
    .selectFrom('memberships')
    .select(['accountId', 'role'])
    .where('userId', '=', userId)
    .orderBy('accountId')
    .execute();
}
