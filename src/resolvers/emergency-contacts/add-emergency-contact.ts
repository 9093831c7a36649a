// Adds an address that is mailed in an emergency. It counts when whoever reads its mail has confirmed it.
import { type AccountRow, lockAccount } from '#/db/accounts.ts';
import { type ContactRow, insertContact, listContacts } from '#/db/emergency-contacts.ts';
import { emailKeyOf } from '#/db/users.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { MAX_EMERGENCY_CONTACTS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { contactLetter, linkColumns } from './contact-link.ts';

export interface AddEmergencyContactRequest {
  readonly accountId: string;
  readonly email: string;
}

interface AddedContact {
  readonly contact: ContactRow;
  readonly account: AccountRow;
}

export const addEmergencyContact = command({
  permission: 'contact.write',
  errors: [InvalidInput, LimitReached, NotFound],
  audit: (_input: AddEmergencyContactRequest, { contact: { id, email } }: AddedContact) => ({
    action: 'contact.add',
    subjectIds: [encodeId('contact', id)],
    changes: { email },
  }),
  async prepare({ deps, scope, fail }, { accountId, email }) {
    if (accountId !== scope.accountId) fail(new NotFound());
    return { email: checkedAddress(email), link: makeOneTimeSecret(deps.random) };
  },
  async run({ scope, inside, prepared: { email, link }, fail }): Promise<AddedContact> {
    // Of two at once, the second counts the first.
    const account = (await lockAccount(scope)) ?? fail(new NotFound());
    const contact: ContactRow = {
      accountId: scope.accountId,
      id: inside.ids.next(),
      email,
      emailKey: emailKeyOf(email),
      createdAt: scope.now,
      confirmedAt: null,
      ...linkColumns(link, scope.now),
    };
    if (!(await insertContact(scope, contact))) fail(InvalidInput.at(['email'], 'is an emergency contact already'));
    if ((await listContacts(scope)).length > MAX_EMERGENCY_CONTACTS) {
      fail(new LimitReached('emergency contacts for an account', MAX_EMERGENCY_CONTACTS));
    }
    await countAccountMails(scope, [email]);
    return { contact, account };
  },
  afterwards: ({ deps, prepared: { link } }, _input, { contact, account }) =>
    deps.systemMail.send(deps, contactLetter(contact, account.name, deps.publicUrl, link)),
});

function checkedAddress(text: string): string {
  const parsed = parseMailbox(text);
  if (!parsed.ok) throw InvalidInput.at(['email'], parsed.reason);
  if (parsed.mailbox.name !== null) throw InvalidInput.at(['email'], 'has a name: give the address alone');
  return parsed.mailbox.address;
}
