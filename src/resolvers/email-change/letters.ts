// What the old and the new address are told when somebody changes theirs.
import { EMAIL_CHANGE_MINUTES } from '#/domain/identity/rules.ts';
import { whenAndWhere } from '../passwords/letters.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';
import type { Visitor } from '../visitor.ts';

/** To the new address. */
export function confirmationLetter(to: string, from: string, publicUrl: string, secret: string): SystemMailText {
  return letterOf({
    to,
    subject: 'Confirm your new address',
    paragraphs: [`Whoever signs in to Veredus as ${from} wants to do so as ${to} from now on.`],
    link: {
      label: `If it is you, open this page within ${EMAIL_CHANGE_MINUTES} minutes and confirm it there`,
      url: `${publicUrl}/confirm-email/${secret}`,
    },
    afterword: 'If you know nothing of this, do nothing.',
  });
}

/** To the new address, when somebody signs in with it already; who asked is not told. */
export function takenLetter(to: string): SystemMailText {
  return letterOf({
    to,
    subject: 'This address is in use already',
    paragraphs: [
      `Somebody wants to sign in to Veredus as ${to} from now on. That cannot be: this address has an identity already, and nothing was changed.`,
      'If it was you, sign in with this address, or set a new password for it. If you know nothing of this, do nothing.',
    ],
  });
}

/** To the old address, before anything is changed. */
export function warningLetter(to: string, newEmail: string, now: Date, visitor: Visitor): SystemMailText {
  return letterOf({
    to,
    subject: 'Your address is about to change',
    paragraphs: [
      `You asked to sign in as ${newEmail} in place of ${to}, ${whenAndWhere(now, visitor)}. It is changed when the link that was mailed to the new address is opened.`,
      'If it was not you, change your password at once: that makes the link worthless.',
    ],
  });
}

/** To the old address, when it is done. */
export function changedLetter(to: string, newEmail: string, now: Date, visitor: Visitor): SystemMailText {
  return letterOf({
    to,
    subject: 'Your address was changed',
    paragraphs: [
      `Your address was changed from ${to} to ${newEmail} ${whenAndWhere(now, visitor)}. Sign in with the new one from now on.`,
      'If it was not you, tell an owner or admin of your accounts, or the operator of this installation.',
    ],
  });
}
