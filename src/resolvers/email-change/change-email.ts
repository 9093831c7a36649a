// Asks for another address: a link goes to the new one and a warning to the old one. Who asks learns nothing of whether
// the new address has an identity already; its owner does.
import { deleteLinks, insertLink } from '#/db/one-time-links.ts';
import { findUserByEmail } from '#/db/users.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidCredentials, InvalidInput } from '#/domain/errors.ts';
import { readAddress } from '#/domain/identity/person-input.ts';
import { EMAIL_CHANGE_MINUTES, minutesAfter } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { compareCurrentPassword } from '../passwords/current-password.ts';
import { countMail } from '../passwords/mail-guesses.ts';
import { confirmationLetter, takenLetter, warningLetter } from './letters.ts';

export interface ChangeEmailRequest {
  readonly currentPassword: string;
  readonly newEmail: string;
}

interface Requested {
  readonly userId: string;
  readonly email: string;
  readonly taken: boolean;
}

export const changeEmail = personalCommand({
  state: 'SIGNED_IN',
  stepUp: true,
  errors: [InvalidCredentials, InvalidInput],
  audit: (_input: ChangeEmailRequest, { userId, email }: Requested) => ({
    action: 'user.requestEmailChange',
    subjectIds: [encodeId('user', userId)],
    changes: { to: email },
  }),
  async prepare({ deps, visitor, person, fail }, { currentPassword, newEmail }) {
    const issues = collectIssues();
    const email = readAddress('newEmail', newEmail, issues);
    if (email === person.email) issues.add(['newEmail'], 'is your address already');
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    await compareCurrentPassword(deps, visitor, person, currentPassword);
    return { email, link: makeOneTimeSecret(deps.random) };
  },
  async run({ scope, inside, visitor, person, prepared }) {
    const { userId } = person;
    const { email, link } = prepared;
    await countMail(scope, visitor, email);
    const holder = await findUserByEmail(scope.tx, email);
    await deleteLinks(scope, userId, 'EMAIL_CHANGE');
    // Also for an address that is taken, whose link nobody gets.
    await insertLink(scope, {
      id: inside.ids.next(),
      purpose: 'EMAIL_CHANGE',
      secretHash: link.hash,
      userId,
      email,
      createdAt: scope.now,
      expiresAt: minutesAfter(scope.now, EMAIL_CHANGE_MINUTES),
    });
    return { userId, email, taken: holder !== undefined && holder.id !== userId };
  },
  async afterwards({ deps, visitor, person, prepared }, _input, { email, taken }) {
    const letters = [
      warningLetter(person.email, email, deps.clock.now(), visitor),
      taken ? takenLetter(email) : confirmationLetter(email, person.email, deps.publicUrl, prepared.link.secret),
    ];
    deps.background.start('the mails of a change of address', async () => {
      for (const letter of letters) await deps.systemMail.send(deps, letter);
    });
  },
});
