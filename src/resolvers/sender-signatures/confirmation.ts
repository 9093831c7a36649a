// The one-time link that asks whoever reads an address's mail whether the account may send from it. Only its SHA-256 is
// stored.
import type { SignatureRow } from '#/db/sender-signatures.ts';
import { CONFIRMATION_DAYS } from '#/domain/sender-identity/rules.ts';
import type { Random } from '#/runtime/ports.ts';
import { makeOneTimeSecret, type OneTimeSecret } from '../one-time-secret.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

const DAY_MS = 86_400_000;

/** A link as it is mailed, and what is kept of it. */
export type Confirmation = OneTimeSecret;

export function makeConfirmation(random: Random): Confirmation {
  return makeOneTimeSecret(random);
}

/** The columns of a link that is sent now. */
export function columnsOf({ hash: confirmationHash }: Confirmation, now: Date) {
  return {
    confirmationHash,
    confirmationExpiresAt: new Date(now.getTime() + CONFIRMATION_DAYS * DAY_MS),
    confirmationSentAt: now,
  };
}

export function confirmationMail({ address, note }: SignatureRow, accountName: string, url: string): SystemMailText {
  const personal = note === null ? [] : ['They write:', note.replace(/^/gm, '> ')];
  return letterOf({
    to: address,
    subject: `May ${accountName} send email from ${address}?`,
    paragraphs: [`${accountName} asks to send email from ${address}.`, ...personal],
    link: { label: `If you agree, open this page within ${CONFIRMATION_DAYS} days and confirm it there`, url },
    afterword: 'If you know nothing of this, do nothing: without your confirmation no email is sent from your address.',
  });
}

export function confirmationUrl(publicUrl: string, { secret }: Confirmation): string {
  return `${publicUrl}/confirm-sender/${secret}`;
}
