// What the link does that was mailed to the new address: it becomes the one to sign in with. Other sessions end, and so do
// all links that were mailed to the old address.
import { deleteLinks, findLink, type OneTimeLinkRow, takeLink } from '#/db/one-time-links.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { deleteSessions } from '#/db/sessions.ts';
import { hasTwoFactorMethod } from '#/db/two-factor-methods.ts';
import { emailKeyOf, lockUser, lockUserByEmail, updateUser, type UserRow } from '#/db/users.ts';
import { InvalidCode } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { auditPerson, logPerson, openCommand } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import { guardLink } from '../passwords/guard-link.ts';
import type { Visitor } from '../visitor.ts';
import { changedLetter } from './letters.ts';

export const confirmEmailChange = openCommand({
  errors: [InvalidCode],
  async run({ deps, visitor, transaction, fail }, { token }: { readonly token: string }) {
    return guardLink(deps, visitor, async () => {
      const hash = hashOfSecret(token) ?? fail(new InvalidCode());
      const { before, after, secondFactor, record } = await transaction(async (scope) => {
        const link = (await takeLink(scope, 'EMAIL_CHANGE', hash)) ?? fail(new InvalidCode());
        const before = (await findWhoMayTake(scope, link)) ?? fail(new InvalidCode());
        const { id } = before;
        const after = await updateUser(scope, id, { email: link.email, emailKey: emailKeyOf(link.email) });
        if (after === undefined) throw new Error('a locked identity was gone');
        await deleteSessions(scope, id, ownSession(visitor, id));
        await deleteLinks(scope, id);
        const changes = { from: before.email, to: after.email };
        const record = { action: 'user.changeEmail', subjectIds: [encodeId('user', id)], changes };
        await auditPerson(scope, deps.ids, identityOf(after, visitor), visitor, record);
        return { before, after, secondFactor: await hasTwoFactorMethod(scope, id), record };
      }).catch((error: unknown) => (isTaken(error) ? fail(new InvalidCode()) : Promise.reject(error)));
      logPerson(deps, identityOf(after, visitor), visitor, record);
      deps.channel.nudge('people');
      await deps.systemMail.send(deps, changedLetter(before.email, after.email, deps.clock.now(), visitor));
      return { id: after.id, name: after.name, email: after.email, secondFactor };
    });
  },
});

/** The address that the link is about; null when it is not, or no longer, good. */
export async function findEmailChange(deps: Deps, secret: string): Promise<{ readonly email: string } | null> {
  const hash = hashOfSecret(secret);
  const link = hash === null ? undefined : await findLink(deps.db, 'EMAIL_CHANGE', hash, deps.clock.now());
  return link ?? null;
}

/** Null: signs in no more, or the address was taken by somebody else since the link was mailed. */
async function findWhoMayTake(scope: SystemWriteScope, { userId, email }: OneTimeLinkRow): Promise<UserRow | null> {
  const user = userId === null ? undefined : await lockUser(scope, userId);
  const holder = await lockUserByEmail(scope, email);
  const taken = holder !== undefined && holder.id !== userId;
  return user === undefined || user.disabledAt !== null || taken ? null : user;
}

/** The session that opens the link stays, where it is one of the same person. */
function ownSession({ person }: Visitor, userId: string): string | null {
  return person?.userId === userId ? person.session.id : null;
}

function identityOf({ id, email }: UserRow, visitor: Visitor) {
  return { userId: id, email, sessionId: ownSession(visitor, id) };
}

/** Somebody took the address at the same moment. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'users_email_key_key';
}
