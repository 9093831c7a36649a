// What an address is told with which somebody wants to sign up.
import { SIGN_UP_MINUTES } from '#/domain/identity/rules.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

export function signUpLetter(to: string, publicUrl: string, secret: string): SystemMailText {
  return letterOf({
    to,
    subject: 'Confirm your address to sign up',
    paragraphs: [`Somebody wants to make an account at ${publicUrl} with the address ${to}.`],
    link: {
      label: `If it was you, open this page within ${SIGN_UP_MINUTES} minutes and go on there`,
      url: `${publicUrl}/sign-up/${secret}`,
    },
    afterword: 'If it was not you, do nothing: no account is made.',
  });
}

/** To somebody who signs in with it already. */
export function knownLetter(to: string, publicUrl: string): SystemMailText {
  return letterOf({
    to,
    subject: 'You have signed up already',
    paragraphs: [
      `Somebody wants to make an account at ${publicUrl} with the address ${to}. This address has an identity there already, and nothing was changed.`,
      'If it was you, sign in with it, or set a new password for it. If it was not you, do nothing.',
    ],
  });
}
