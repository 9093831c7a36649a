// What invitations have in common: how long they are good, and the mail that brings the link. It is the same whether or
// not the address has an identity here, so that nobody learns that by inviting.
import type { InvitationRow } from '#/db/invitations.ts';
import { INVITATION_DAYS, minutesAfter } from '#/domain/identity/rules.ts';
import type { OneTimeSecret } from '../one-time-secret.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { SystemMailText } from '../system-mail/system-mail.ts';

/** The columns of a link that is sent now. */
export function linkColumns({ hash: secretHash }: OneTimeSecret, now: Date) {
  return { secretHash, sentAt: now, expiresAt: minutesAfter(now, INVITATION_DAYS * 24 * 60) };
}

export interface InvitationMail {
  readonly invitation: InvitationRow;
  readonly secret: string;
  readonly accountName: string;
  /** Address of who invites. */
  readonly inviter: string;
  readonly publicUrl: string;
}

export function invitationLetter({
  invitation,
  secret,
  accountName,
  inviter,
  publicUrl,
}: InvitationMail): SystemMailText {
  return letterOf({
    to: invitation.email,
    subject: `Join ${accountName}`,
    paragraphs: [`${inviter} invites you to the account ${accountName}.`],
    link: {
      label: `To join, open this page within ${INVITATION_DAYS} days`,
      url: `${publicUrl}/invitation/${secret}`,
    },
    afterword: 'If you know nothing of this, do nothing: without you the invitation ends by itself.',
  });
}
