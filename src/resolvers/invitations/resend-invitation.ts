// Mails the link of an invitation again, good for the whole time once more; the one before is dead from then on.
import { findAccount } from '#/db/accounts.ts';
import { type InvitationRow, lockInvitation, updateInvitation } from '#/db/invitations.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { RESEND_MS } from '#/domain/sender-identity/rules.ts';
import { command } from '../define.ts';
import { lockActor } from '../members/lock-members.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { invitationLetter, linkColumns } from './invitation.ts';

export const resendInvitation = command({
  permission: 'member.write',
  errors: [NotFound, Conflict],
  audit: ({ id }: { readonly id: string }, { email }: InvitationRow) => ({
    action: 'invitation.resend',
    subjectIds: [encodeId('invitation', id)],
    changes: { email },
  }),
  async prepare({ deps, scope, fail }) {
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    return { accountName: account.name, link: makeOneTimeSecret(deps.random) };
  },
  async run({ scope, caller, prepared, fail }, { id }) {
    await lockActor(scope, caller.actor, 'ADMIN');
    const invitation = (await lockInvitation(scope, id)) ?? fail(new NotFound());
    if (scope.now.getTime() - invitation.sentAt.getTime() < RESEND_MS) {
      fail(new Conflict(`A mail went to ${invitation.email} just now; wait a minute before the next.`));
    }
    await countAccountMails(scope, [invitation.email]);
    return updateInvitation(scope, id, linkColumns(prepared.link, scope.now));
  },
  afterwards: ({ deps, caller, prepared: { accountName, link } }, _input, invitation) => {
    const { publicUrl, systemMail } = deps;
    const inviter = caller.actor.label;
    const letter = invitationLetter({ invitation, secret: link.secret, accountName, inviter, publicUrl });
    return systemMail.send(deps, letter);
  },
});
