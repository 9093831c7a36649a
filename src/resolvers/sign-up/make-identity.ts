// A new identity. Whoever calls has seen that the address is theirs, or has the operator's word for it.
import type { SystemWriteScope } from '#/db/scope.ts';
import { emailKeyOf, insertUser, type UserRow } from '#/db/users.ts';
import type { Ids } from '#/runtime/ports.ts';

/** Null when the address has one already. */
export async function makeIdentity(
  scope: SystemWriteScope,
  ids: Ids,
  { email, name, passwordHash }: Pick<UserRow, 'email' | 'name' | 'passwordHash'>,
): Promise<UserRow | null> {
  const user: UserRow = {
    id: ids.next(),
    email,
    emailKey: emailKeyOf(email),
    name,
    passwordHash,
    createdAt: scope.now,
    staff: false,
    disabledAt: null,
    passwordChangedAt: passwordHash === null ? null : scope.now,
  };
  return (await insertUser(scope, user)) ? user : null;
}
