// The one-time link that asks whoever reads an address's mail whether the account may write to it in an emergency.
import type { ContactRow } from '#/db/emergency-contacts.ts';
import { CONTACT_CONFIRMATION_DAYS, minutesAfter } from '#/domain/identity/rules.ts';
import type { OneTimeSecret } from '../one-time-secret.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

/** The columns of a link that is sent now. */
export function linkColumns({ hash: confirmationHash }: OneTimeSecret, now: Date) {
  return {
    confirmationHash,
    confirmationExpiresAt: minutesAfter(now, CONTACT_CONFIRMATION_DAYS * 24 * 60),
    confirmationSentAt: now,
  };
}

export function contactLetter(
  { email }: ContactRow,
  accountName: string,
  publicUrl: string,
  { secret }: OneTimeSecret,
): SystemMailText {
  return letterOf({
    to: email,
    subject: `May we write to you when something is wrong with ${accountName}?`,
    paragraphs: [
      `${accountName} has named ${email} as an emergency contact: an address that is told when its sending is paused, and of the like.`,
    ],
    link: {
      label: `If you agree, open this page within ${CONTACT_CONFIRMATION_DAYS} days and confirm it there`,
      url: `${publicUrl}/confirm-contact/${secret}`,
    },
    afterword: 'If you know nothing of this, do nothing: without your confirmation nothing is sent to you.',
  });
}
