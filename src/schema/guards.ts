// Scopes of fields that are about something certain: whether the asker may in the account, and on the server, of the row
// that a field stands under, or of what the id among its arguments names.
import { decodeIdOf } from '#/domain/ids.ts';
import type { Permission } from '#/domain/permissions.ts';
import type { Context } from './context.ts';
import { type LocatedKind, locate } from './locate.ts';

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

/**
 * Of a root field that is about what an id names. `path`: where the id stands among the arguments, e.g. `input.id`. What
 * the asker does not see passes, to be answered like what never existed.
 */
export function onId(
  { permission, stepUp }: { readonly permission: Permission; readonly stepUp?: boolean },
  kind: LocatedKind,
  path: string,
) {
  const scopes = async (_root: object, args: Readonly<Record<string, unknown>>, context: Context) => {
    const proof = stepUp === true ? { authenticated: true, proved: true } : { authenticated: true };
    const { asker } = context;
    if (asker === null || 'actor' in asker) return { ...proof, can: permission };
    const id = valueAt(args, path);
    const uuid = typeof id === 'string' ? decodeIdOf(kind, id) : null;
    const located = uuid === null ? null : await locate(context, kind, uuid);
    if (located === null) return { authenticated: true };
    return { ...proof, may: { permission, accountId: located.at.accountId, serverId: located.serverId } };
  };
  return Object.assign(scopes, { permission });
}

function valueAt(args: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = args;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}
