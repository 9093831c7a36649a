// Scopes of fields that stand under a row: whether the asker may in the account, and on the server, of that very row.
import type { Permission } from '#/domain/permissions.ts';

export interface Right {
  readonly permission: Permission;
  readonly accountId: string;
  readonly serverId: string | null;
}

/** The permission is readable from outside: the matrix of roles is made from it. */
function guard<R>(permission: Permission, placeOf: (row: R) => Omit<Right, 'permission'>) {
  const scopes = (row: R) => ({ may: { permission, ...placeOf(row) } });
  return Object.assign(scopes, { permission });
}

/** Of a server itself. */
export function onServer(permission: Permission) {
  return guard(permission, (server: { readonly accountId: string; readonly id: string }) => ({
    accountId: server.accountId,
    serverId: server.id,
  }));
}

/** Of what belongs to a server. */
export function onItsServer(permission: Permission) {
  return guard(permission, ({ accountId, serverId }: { readonly accountId: string; readonly serverId: string }) => ({
    accountId,
    serverId,
  }));
}

/** Of an account itself. */
export function onAccount(permission: Permission) {
  return guard(permission, ({ id }: { readonly id: string }) => ({ accountId: id, serverId: null }));
}

/** Of what belongs to an account. */
export function inItsAccount(permission: Permission) {
  return guard(permission, ({ accountId }: { readonly accountId: string }) => ({ accountId, serverId: null }));
}
