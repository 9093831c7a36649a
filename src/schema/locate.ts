// Which of the asker's accounts, and which server, an id is of. Nothing that an asker may not see is ever found: an id of
// somebody else is answered like one that never existed.
import { refusalOf } from '#/domain/actor.ts';
import { Forbidden, NotFound, Unauthenticated } from '#/domain/errors.ts';
import { encodeId, type IdKind } from '#/domain/ids.ts';
import type { Permission } from '#/domain/permissions.ts';
import type { Caller } from '#/resolvers/define.ts';
import { type AccountContext, type Context, enter, everywhere } from './context.ts';
import { type Loaders, loadersIn } from './loaders.ts';

export interface Located {
  readonly at: AccountContext;
  readonly row: object;
  /** Null: it belongs to the account as a whole. */
  readonly serverId: string | null;
}

/** Kinds that stand in an account and can be found by their id alone. */
export type LocatedKind = Extract<IdKind, keyof Loaders>;

export async function locate(context: Context, kind: LocatedKind, uuid: string): Promise<Located | null> {
  for (const at of everywhere(context)) {
    const row = await findIn(context, at, kind, uuid);
    if (row === null) continue;
    await enter(context, at, encodeId(kind, uuid));
    return { at, row, serverId: serverOf(kind, row) };
  }
  return null;
}

async function findIn(context: Context, at: AccountContext, kind: LocatedKind, uuid: string): Promise<object | null> {
  const loaders = loadersIn(context, at);
  const row: object | null = await loaders[kind].load(uuid);
  if (row === null || kind !== 'stream' || !('serverId' in row) || typeof row.serverId !== 'string') return row;
  // A stream goes with its server.
  return (await loaders.server.load(row.serverId)) === null ? null : row;
}

function serverOf(kind: LocatedKind, row: object): string | null {
  if (kind === 'server') return 'id' in row && typeof row.id === 'string' ? row.id : null;
  return 'serverId' in row && typeof row.serverId === 'string' ? row.serverId : null;
}

/**
 * The caller in the account of what `uuid` names. A token has one account, and its use-case finds what it may; for a person
 * it is looked up here. Throws NotFound for what the asker does not see, Forbidden for what they see and may not touch.
 */
export async function callerAt(
  context: Context,
  permission: Permission,
  kind: LocatedKind,
  uuid: string,
): Promise<Caller> {
  const [only] = context.callers;
  if (context.asker === null) throw new Unauthenticated();
  if ('actor' in context.asker && only !== undefined) return only;
  const located = await locate(context, kind, uuid);
  if (located === null) throw new NotFound();
  const { caller } = located.at;
  const refusal = refusalOf(caller.actor, permission, located.serverId);
  if (refusal !== null) throw new Forbidden(refusal);
  return caller;
}
