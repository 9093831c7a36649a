// A session whose rights are raised gets a new secret: what was read of the old one is worth nothing after. When it ends,
// and when its owner proved who they are, stays: a link is no proof of that.
import type { SystemWriteScope } from '#/db/scope.ts';
import { findSessionFacts, lockSession, updateSession } from '#/db/sessions.ts';
import { Unauthenticated } from '#/domain/errors.ts';
import type { Person } from '#/domain/person.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import type { Inside } from '../define.ts';
import { secretHashOf } from '../sessions/session-check.ts';
import { toPerson } from '../sessions/to-person.ts';
import type { BegunSession } from '../sign-in/begin-session.ts';

export async function renewSession(scope: SystemWriteScope, inside: Inside, before: Person): Promise<BegunSession> {
  const { id } = before.session;
  const secret = makeToken(SESSION_PREFIX, (length) => inside.random.bytes(length));
  const locked = await lockSession(scope, id);
  const session = locked && (await updateSession(scope, id, { secretHash: secretHashOf(secret) }));
  const [facts] = await findSessionFacts(scope.tx, [id], scope.now);
  const person = facts === undefined ? null : toPerson(facts, scope.now, before.byCookie);
  if (session === undefined || person === null) throw new Unauthenticated('This session has ended.');
  const { userId, name, email, secondFactor, requirement } = person;
  return {
    session: { ...session, current: true },
    secret,
    user: { id: userId, name, email, secondFactor },
    requirement,
    deviceSecret: null,
    fromNewDevice: false,
  };
}
