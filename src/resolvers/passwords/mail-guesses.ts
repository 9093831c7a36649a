// What limits the mails that people can have sent to an address which may be somebody else's: each counts as a guess, by
// the address and by the network that asks.
import type { SystemWriteScope, WriteScope } from '#/db/scope.ts';
import { emailKeyOf } from '#/db/users.ts';
import { networkOf } from '#/domain/network.ts';
import { countFailure, type Guess, lockGuesses } from '../sign-in/guesses.ts';
import type { Visitor } from '../visitor.ts';

/** Throws RateLimited. Of many at once, anywhere, none passes before the one before is counted. */
export async function countMail(scope: SystemWriteScope, { ipAddress }: Visitor, email: string): Promise<void> {
  const guesses: readonly Guess[] = [
    { kind: 'mail', about: emailKeyOf(email) },
    { kind: 'link', about: `mail ${networkOf(ipAddress)}` },
  ];
  await lockGuesses(scope, guesses);
  await countFailure(scope, guesses);
}

/**
 * The same for what members have sent to addresses that have agreed to nothing (invitations, confirmations): also who takes
 * each back and begins anew gets no more through. By account: none makes another wait. Throws RateLimited.
 */
export async function countAccountMails(scope: WriteScope, emails: readonly string[]): Promise<void> {
  const guesses = emails.map((email): Guess => ({ kind: 'mail', about: `${scope.accountId} ${emailKeyOf(email)}` }));
  await lockGuesses(scope, guesses);
  await countFailure(scope, guesses);
}
