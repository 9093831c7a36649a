// Mails the link of a sender signature again; the one before is dead from then on.
import { findAccount } from '#/db/accounts.ts';
import { lockSignature, type SignatureRow, updateSignature } from '#/db/sender-signatures.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { RESEND_MS } from '#/domain/sender-identity/rules.ts';
import { command } from '../define.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { columnsOf, confirmationMail, confirmationUrl, makeConfirmation } from './confirmation.ts';

export const resendSenderSignature = command({
  permission: 'domain.write',
  errors: [NotFound, Conflict],
  audit: ({ id }: { readonly id: string }, { address }: SignatureRow) => ({
    action: 'senderSignature.resend',
    subjectIds: [encodeId('signature', id)],
    changes: { address },
  }),
  async prepare({ deps, scope, fail }) {
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    return { accountName: account.name, confirmation: makeConfirmation(deps.random) };
  },
  async run({ scope, prepared, fail }, { id }) {
    const signature = (await lockSignature(scope, id)) ?? fail(new NotFound());
    if (signature.confirmedAt !== null) fail(new Conflict(`${signature.address} is confirmed already.`));
    const last = signature.confirmationSentAt?.getTime() ?? 0;
    if (scope.now.getTime() - last < RESEND_MS) {
      fail(new Conflict(`A mail went to ${signature.address} just now; wait a minute before the next.`));
    }
    await countAccountMails(scope, [signature.address]);
    return updateSignature(scope, id, columnsOf(prepared.confirmation, scope.now));
  },
  afterwards: ({ deps, prepared }, _input, signature) => {
    const url = confirmationUrl(deps.publicUrl, prepared.confirmation);
    return deps.systemMail.send(deps, confirmationMail(signature, prepared.accountName, url));
  },
});
