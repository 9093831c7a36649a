// Grants on servers as they are asked for: each server once, and all of them of the account.
import type { WriteScope } from '#/db/scope.ts';
import { findServers } from '#/db/servers.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { ServerLevel } from '#/domain/permissions.ts';

export interface GrantRequest {
  readonly serverId: string;
  readonly level: ServerLevel;
}

/** More servers than anybody keeps apart; beyond that, a role is meant. */
export const MAX_GRANTS = 500;

/** Throws InvalidInput or NotFound. */
export async function checkGrants(scope: WriteScope, grants: readonly GrantRequest[]): Promise<void> {
  if (grants.length > MAX_GRANTS) throw InvalidInput.at(['servers'], `has more than ${MAX_GRANTS} entries`);
  const ids = new Set(grants.map(({ serverId }) => serverId));
  if (ids.size < grants.length) throw InvalidInput.at(['servers'], 'names a server twice');
  if ((await findServers(scope, [...ids])).length < ids.size) throw new NotFound();
}

/** For the audit log: public id to level. */
export function grantsText(grants: readonly GrantRequest[]): Readonly<Record<string, ServerLevel>> {
  return Object.fromEntries(grants.map(({ serverId, level }) => [encodeId('server', serverId), level]));
}
