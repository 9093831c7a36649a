// Mails a link with which a stranger makes an account, where the operator allows it. An address that has an identity gets a
// mail that says so, after the same work: who asks does not learn which it was.
import { insertLink } from '#/db/one-time-links.ts';
import { findUserByEmail } from '#/db/users.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { BadUserInput, Forbidden } from '#/domain/errors.ts';
import { minutesAfter, SIGN_UP_MINUTES } from '#/domain/identity/rules.ts';
import { openCommand } from '../define-personal.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { countMail } from '../passwords/mail-guesses.ts';
import { knownLetter, signUpLetter } from './letters.ts';

export const SIGN_UP_OFF = 'nobody can sign up here (VEREDUS_SIGN_UP); ask for an invitation';

export const requestSignUp = openCommand({
  errors: [],
  async run({ deps, visitor, transaction }, input: { readonly email: string }): Promise<true> {
    if (!deps.signUp) throw new Forbidden(SIGN_UP_OFF);
    const parsed = parseMailbox(input.email);
    if (!parsed.ok) throw new BadUserInput(`email: ${parsed.reason}`);
    const { address } = parsed.mailbox;
    const { secret, hash } = makeOneTimeSecret(deps.random);
    const user = await transaction(async (scope) => {
      await countMail(scope, visitor, address);
      const user = await findUserByEmail(scope.tx, address);
      await insertLink(scope, {
        id: deps.ids.next(),
        purpose: 'SIGN_UP',
        secretHash: hash,
        userId: null,
        email: address,
        createdAt: scope.now,
        expiresAt: minutesAfter(scope.now, SIGN_UP_MINUTES),
      });
      return user;
    });
    const letter =
      user === undefined ? signUpLetter(address, deps.publicUrl, secret) : knownLetter(user.email, deps.publicUrl);
    deps.background.start('the mail of a sign-up', () => deps.systemMail.send(deps, letter));
    return true;
  },
});
