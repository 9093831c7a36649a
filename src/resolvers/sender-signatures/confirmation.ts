// The one-time link that asks whoever reads an address's mail whether the account may send from it. Only its SHA-256 is
// stored.
import { createHash } from 'node:crypto';
import type { SignatureRow } from '#/db/sender-signatures.ts';
import { CONFIRMATION_DAYS } from '#/domain/sender-identity/rules.ts';
import type { Random } from '#/runtime/ports.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

const SECRET = /^[A-Za-z0-9_-]{43}$/;
const DAY_MS = 86_400_000;

/** A link as it is mailed, and what is kept of it. */
export interface Confirmation {
  readonly secret: string;
  readonly hash: Buffer;
}

export function makeConfirmation(random: Random): Confirmation {
  const secret = random.bytes(32).toString('base64url');
  return { secret, hash: hash(secret) };
}

/** Null for what cannot be a secret of ours. */
export function hashOfSecret(secret: string): Buffer | null {
  return SECRET.test(secret) ? hash(secret) : null;
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
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
  const personal = note === null ? '' : `They write:\n\n${note.replace(/^/gm, '> ')}\n\n`;
  return {
    to: address,
    subject: `May ${accountName} send email from ${address}?`,
    text: `${accountName} asks to send email from ${address}.\n\n${personal}If you agree, open this page within ${CONFIRMATION_DAYS} days and confirm it there:\n\n${url}\n\nIf you know nothing of this, do nothing: without your confirmation no email is sent from your address.\n`,
  };
}

export function confirmationUrl(publicUrl: string, { secret }: Confirmation): string {
  return `${publicUrl}/confirm-sender/${secret}`;
}
