// Sets a password with a mailed link. It lets nobody in: who follows the link signs in with the new password and, where
// there is one, the second factor. All sessions end.
import { deleteLinks, findLink, takeLink } from '#/db/one-time-links.ts';
import { deleteSessions } from '#/db/sessions.ts';
import { hasTwoFactorMethod } from '#/db/two-factor-methods.ts';
import { emailKeyOf, findUser, listAccountNames, lockUser, updateUser, type UserRow } from '#/db/users.ts';
import { InvalidCode, WeakPassword } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { auditPerson, logPerson, openCommand } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import { forgiveGuesses } from '../sign-in/guesses.ts';
import { guessOf } from './current-password.ts';
import { guardLink } from './guard-link.ts';
import { hashNewPassword } from './hash-new-password.ts';
import { passwordChangedLetter } from './letters.ts';

export const resetPassword = openCommand({
  errors: [InvalidCode, WeakPassword],
  async run({ deps, visitor, transaction, fail }, input: { readonly token: string; readonly newPassword: string }) {
    return guardLink(deps, visitor, async () => {
      const { hash, user } = (await findReset(deps, input.token)) ?? fail(new InvalidCode());
      const about = [user.email, user.name, ...(await listAccountNames(deps.db, user.id))];
      const passwordHash = await hashNewPassword(deps, input.newPassword, about);
      const identity = { userId: user.id, email: user.email, sessionId: null };
      const record = { action: 'user.resetPassword', subjectIds: [encodeId('user', user.id)] };
      const somebody = await transaction(async (scope) => {
        if ((await takeLink(scope, 'PASSWORD_RESET', hash)) === undefined) fail(new InvalidCode());
        const { id, name, email, disabledAt } = (await lockUser(scope, user.id)) ?? fail(new InvalidCode());
        if (disabledAt !== null) fail(new InvalidCode());
        await updateUser(scope, id, { passwordHash, passwordChangedAt: scope.now });
        await deleteSessions(scope, id, null);
        await deleteLinks(scope, id);
        await forgiveGuesses(scope, [{ kind: 'identity', about: emailKeyOf(email) }, guessOf({ userId: id })]);
        await auditPerson(scope, deps.ids, identity, visitor, record);
        return { id, name, email, secondFactor: await hasTwoFactorMethod(scope, id) };
      });
      logPerson(deps, identity, visitor, record);
      deps.channel.nudge('people');
      await deps.systemMail.send(deps, passwordChangedLetter(somebody.email, deps.clock.now(), visitor));
      return somebody;
    });
  },
});

/** Whose link it is; null when it is not, or no longer, good. */
export async function findReset(
  deps: Deps,
  secret: string,
): Promise<{ readonly hash: Buffer; readonly user: UserRow } | null> {
  const hash = hashOfSecret(secret);
  const link = hash === null ? undefined : await findLink(deps.db, 'PASSWORD_RESET', hash, deps.clock.now());
  const user = link?.userId == null ? undefined : await findUser(deps.db, link.userId);
  return hash === null || user === undefined || user.disabledAt !== null ? null : { hash, user };
}
