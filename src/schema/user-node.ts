// People, their sessions and their second factors by id: one's own, and members that one sees.
import { findMembers } from '#/db/memberships.ts';
import { findUser } from '#/db/users.ts';
import { refusalOf } from '#/domain/actor.ts';
import { listTwoFactorMethods } from '#/db/two-factor-methods.ts';
import { findSessionFacts } from '#/db/sessions.ts';
import { encodeId } from '#/domain/ids.ts';
import { type Context, enter, everywhere } from './context.ts';
import type { Somebody } from './user.ts';

export async function findUserNode(
  context: Context,
  kind: 'user' | 'session' | 'factor',
  uuid: string,
): Promise<object | null> {
  const { asker, deps } = context;
  if (kind === 'user') {
    const user = await findSomebody(context, uuid);
    return user === null ? null : { ...user, __typename: 'User' };
  }
  if (asker === null || !('person' in asker)) return null;
  const { userId } = asker.person;
  if (kind === 'session') {
    const [session] = await findSessionFacts(deps.db, [uuid], deps.clock.now());
    return session?.userId === userId ? { ...session, __typename: 'Session' } : null;
  }
  const method = (await listTwoFactorMethods(deps.db, [userId])).find(({ id }) => id === uuid);
  return method === undefined ? null : { ...method, __typename: 'TwoFactorMethod' };
}

/** Oneself, or a member of an account whose members one sees; null for everybody else. */
export async function findSomebody(context: Context, userId: string): Promise<Somebody | null> {
  const { asker, deps } = context;
  if (asker !== null && 'person' in asker && asker.person.userId === userId) {
    const { name, email, secondFactor } = asker.person;
    const user = await findUser(deps.db, userId);
    return { id: userId, name: user?.name ?? name, email: user?.email ?? email, secondFactor };
  }
  for (const at of everywhere(context)) {
    if (refusalOf(at.caller.actor, 'member.read') !== null) continue;
    const [member] = await findMembers(at.scope, [userId]);
    if (member === undefined) continue;
    await enter(context, at, encodeId('user', userId));
    return { id: userId, name: member.name, email: member.email, secondFactor: member.secondFactor };
  }
  return null;
}
