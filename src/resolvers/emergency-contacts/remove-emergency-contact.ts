// Removes an emergency contact: nothing is mailed to it any more.
import { type AccountRow, findAccount } from '#/db/accounts.ts';
import { deleteContact, lockContact } from '#/db/emergency-contacts.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

interface RemovedContact {
  readonly account: AccountRow;
  readonly email: string;
}

export const removeEmergencyContact = command({
  permission: 'contact.write',
  errors: [NotFound],
  audit: ({ id }: { readonly id: string }, { email }: RemovedContact) => ({
    action: 'contact.remove',
    subjectIds: [encodeId('contact', id)],
    changes: { email },
  }),
  async run({ scope, fail }, { id }): Promise<RemovedContact> {
    const { email } = (await lockContact(scope, id)) ?? fail(new NotFound());
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    await deleteContact(scope, id);
    return { account, email };
  },
});
