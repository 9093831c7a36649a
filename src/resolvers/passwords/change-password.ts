// Changes the password of whoever knows it. All other sessions end, and links that were mailed are dead.
import { deleteLinks } from '#/db/one-time-links.ts';
import { deleteSessions, lockSession, updateSession } from '#/db/sessions.ts';
import { listAccountNames, lockUser, updateUser } from '#/db/users.ts';
import { InvalidCredentials, Unauthenticated, WeakPassword } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import type { Person } from '#/domain/person.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import { personalCommand } from '../define-personal.ts';
import { secretHashOf } from '../sessions/session-check.ts';
import { refuseCookieOnSocket } from '../sign-in/cookie-on-socket.ts';
import { forgiveGuesses } from '../sign-in/guesses.ts';
import { compareCurrentPassword, guessOf, wrongPassword } from './current-password.ts';
import { hashNewPassword } from './hash-new-password.ts';
import { passwordChangedLetter } from './letters.ts';

export interface ChangePasswordRequest {
  readonly currentPassword: string;
  readonly newPassword: string;
}

export const changePassword = personalCommand({
  state: 'SIGNED_IN',
  errors: [InvalidCredentials, WeakPassword],
  announces: ['people'],
  audit: (_input: ChangePasswordRequest, { userId }: Person) => ({
    action: 'user.changePassword',
    subjectIds: [encodeId('user', userId)],
  }),
  async prepare({ deps, visitor, person }, { currentPassword, newPassword }) {
    refuseCookieOnSocket(visitor);
    const compared = await compareCurrentPassword(deps, visitor, person, currentPassword);
    const about = [person.email, person.name, ...(await listAccountNames(deps.db, person.userId))];
    const passwordHash = await hashNewPassword(deps, newPassword, about);
    // A browser's session gets a new secret: what was read of the old one is worth nothing after.
    const secret = person.byCookie ? makeToken(SESSION_PREFIX, (length) => deps.random.bytes(length)) : null;
    return { compared, passwordHash, secret };
  },
  async run({ scope, person, prepared, fail }) {
    const user = (await lockUser(scope, person.userId)) ?? fail(wrongPassword());
    if ((await lockSession(scope, person.session.id)) === undefined)
      throw new Unauthenticated('This session has ended.');
    // Another request has changed it since it was compared.
    if (user.passwordHash !== prepared.compared) fail(wrongPassword());
    await updateUser(scope, user.id, { passwordHash: prepared.passwordHash, passwordChangedAt: scope.now });
    await deleteSessions(scope, user.id, person.session.id);
    await deleteLinks(scope, user.id);
    await forgiveGuesses(scope, [guessOf(person)]);
    if (prepared.secret !== null) {
      await updateSession(scope, person.session.id, { secretHash: secretHashOf(prepared.secret) });
    }
    return person;
  },
  async afterwards({ deps, visitor, person, prepared }) {
    if (prepared.secret !== null) visitor.cookies?.startSession(prepared.secret, person.session.expiresAt);
    await deps.systemMail.send(deps, passwordChangedLetter(person.email, deps.clock.now(), visitor));
  },
});
