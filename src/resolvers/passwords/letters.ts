// What people are told by mail about their password.
import { RESET_MINUTES } from '#/domain/identity/rules.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';
import type { Visitor } from '../visitor.ts';

export function resetLetter(to: string, publicUrl: string, secret: string, { ipAddress }: Visitor): SystemMailText {
  return letterOf({
    to,
    subject: 'Set a new password',
    paragraphs: [`Somebody, at ${ipAddress}, asked for a new password for ${to}.`],
    link: {
      label: `If it was you, open this page within ${RESET_MINUTES} minutes and choose one`,
      url: `${publicUrl}/reset-password/${secret}`,
    },
    afterword: 'If it was not you, do nothing: your password stays as it is.',
  });
}

export function passwordChangedLetter(to: string, now: Date, visitor: Visitor): SystemMailText {
  return letterOf({
    to,
    subject: 'Your password was changed',
    paragraphs: [
      `The password of ${to} was changed ${whenAndWhere(now, visitor)}. All other sessions were ended.`,
      'If it was not you, set a new password at once with “Forgot your password?”, and look through your second factors and what was done in your accounts.',
    ],
  });
}

export function whenAndWhere(now: Date, { ipAddress }: Visitor): string {
  return `on ${now.toISOString().slice(0, 16).replace('T', ' at ')} UTC from ${ipAddress}`;
}
