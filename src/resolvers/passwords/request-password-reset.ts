// Mails the link with which a password is set anew. An address that nobody has is answered the same, after the same work;
// only the mail, which nobody waits for, is not sent. Not in the audit log: strangers can do it, and it changes nothing.
import { insertLink } from '#/db/one-time-links.ts';
import { findUserByEmail } from '#/db/users.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { minutesAfter, RESET_MINUTES } from '#/domain/identity/rules.ts';
import { openCommand } from '../define-personal.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { resetLetter } from './letters.ts';
import { countMail } from './mail-guesses.ts';

export const requestPasswordReset = openCommand({
  errors: [],
  async run({ deps, visitor, transaction }, input: { readonly email: string }): Promise<true> {
    const parsed = parseMailbox(input.email);
    // No address is nobody's: there is nothing to hide.
    if (!parsed.ok) return true;
    const email = parsed.mailbox.address;
    const { secret, hash } = makeOneTimeSecret(deps.random);
    const user = await transaction(async (scope) => {
      await countMail(scope, visitor, email);
      const found = await findUserByEmail(scope.tx, email);
      const known = found === undefined || found.disabledAt !== null ? null : found;
      await insertLink(scope, {
        id: deps.ids.next(),
        purpose: 'PASSWORD_RESET',
        secretHash: hash,
        // Nobody's link leads nowhere: its secret is told to nobody.
        userId: known?.id ?? null,
        email: known?.email ?? email,
        createdAt: scope.now,
        expiresAt: minutesAfter(scope.now, RESET_MINUTES),
      });
      return known;
    });
    if (user !== null) {
      const letter = resetLetter(user.email, deps.publicUrl, secret, visitor);
      deps.background.start('the mail of a password reset', () => deps.systemMail.send(deps, letter));
    }
    return true;
  },
});
