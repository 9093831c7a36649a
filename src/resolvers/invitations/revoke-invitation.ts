// Takes an invitation back: its link is dead.
import { deleteInvitation, lockInvitation } from '#/db/invitations.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { lockActor } from '../members/lock-members.ts';

export const revokeInvitation = command({
  permission: 'member.write',
  errors: [NotFound],
  audit: ({ id }: { readonly id: string }, { email }: { readonly id: string; readonly email: string }) => ({
    action: 'invitation.revoke',
    subjectIds: [encodeId('invitation', id)],
    changes: { email },
  }),
  async run({ scope, caller, fail }, { id }) {
    await lockActor(scope, caller.actor, 'ADMIN');
    const { email } = (await lockInvitation(scope, id)) ?? fail(new NotFound());
    await deleteInvitation(scope, id);
    return { id, email };
  },
});
