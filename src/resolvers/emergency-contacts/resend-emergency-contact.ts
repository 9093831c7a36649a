// Mails the link of an emergency contact again; the one before is dead from then on.
import { findAccount } from '#/db/accounts.ts';
import { type ContactRow, lockContact, updateContact } from '#/db/emergency-contacts.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { RESEND_MS } from '#/domain/sender-identity/rules.ts';
import { command } from '../define.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { contactLetter, linkColumns } from './contact-link.ts';

export const resendEmergencyContact = command({
  permission: 'contact.write',
  errors: [NotFound, Conflict],
  audit: ({ id }: { readonly id: string }, { email }: ContactRow) => ({
    action: 'contact.resend',
    subjectIds: [encodeId('contact', id)],
    changes: { email },
  }),
  async prepare({ deps, scope, fail }) {
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    return { accountName: account.name, link: makeOneTimeSecret(deps.random) };
  },
  async run({ scope, prepared, fail }, { id }) {
    const contact = (await lockContact(scope, id)) ?? fail(new NotFound());
    if (contact.confirmedAt !== null) fail(new Conflict(`${contact.email} is confirmed already.`));
    const last = contact.confirmationSentAt?.getTime() ?? 0;
    if (scope.now.getTime() - last < RESEND_MS) {
      fail(new Conflict(`A mail went to ${contact.email} just now; wait a minute before the next.`));
    }
    await countAccountMails(scope, [contact.email]);
    return updateContact(scope, id, linkColumns(prepared.link, scope.now));
  },
  afterwards: ({ deps, prepared: { accountName, link } }, _input, contact) =>
    deps.systemMail.send(deps, contactLetter(contact, accountName, deps.publicUrl, link)),
});
