// The memberships that an act is about, locked until it is done: that of who acts, and that of who it is done to. A role
// that was lost since the request began is no role any more, and two acts on the same people follow one another.
import { lockMembership, type MembershipRow } from '#/db/memberships.ts';
import type { WriteScope } from '#/db/scope.ts';
import type { Actor } from '#/domain/actor.ts';
import { Forbidden } from '#/domain/errors.ts';
import type { AccountRole } from '#/domain/permissions.ts';

const ranks: Readonly<Record<AccountRole, number>> = { MEMBER: 0, ADMIN: 1, OWNER: 2 };

/** Undefined: they are no member. Throws Forbidden where the actor has not, or no longer, at least `role`. */
export async function lockMembers(
  scope: WriteScope,
  actor: Actor,
  role: AccountRole,
  userId: string,
): Promise<MembershipRow | undefined> {
  const actorId = actor.kind === 'USER' ? actor.userId : null;
  const rows = new Map<string, MembershipRow>();
  // In one order everywhere, so that two transactions never wait for each other.
  for (const id of new Set([userId, ...(actorId === null ? [] : [actorId])].sort())) {
    const row = await lockMembership(scope, id);
    if (row !== undefined) rows.set(id, row);
  }
  if (actorId !== null && ranks[rows.get(actorId)?.role ?? 'MEMBER'] < ranks[role]) {
    throw new Forbidden(`it needs the role ${role}`);
  }
  return rows.get(userId);
}

/** The same for an act on nobody in particular. */
export async function lockActor(scope: WriteScope, actor: Actor, role: AccountRole): Promise<void> {
  if (actor.kind === 'USER') await lockMembers(scope, actor, role, actor.userId);
}
