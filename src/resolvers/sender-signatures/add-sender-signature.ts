// Adds one address to send from. It counts when whoever reads its mail has confirmed it.
import { findAccount } from '#/db/accounts.ts';
import { countSignatures, insertSignature, type SignatureRow } from '#/db/sender-signatures.ts';
import { type Issues, collectIssues } from '#/domain/email/issues.ts';
import { bodyFlaw } from '#/domain/email/text.ts';
import { type Mailbox, parseMailbox } from '#/domain/email-address.ts';
import { Conflict, InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { ownershipFlaw } from '#/domain/sender-identity/identity-name.ts';
import {
  MAX_SIGNATURE_NAME,
  MAX_SIGNATURE_NOTE,
  MAX_SIGNATURES,
  MAX_UNCONFIRMED_SIGNATURES,
} from '#/domain/sender-identity/rules.ts';
import { checkName } from '#/domain/streams.ts';
import { command } from '../define.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { columnsOf, confirmationMail, confirmationUrl, makeConfirmation } from './confirmation.ts';

export interface AddSenderSignatureRequest {
  readonly accountId: string;
  readonly address: string;
  readonly name: string;
  readonly replyTo: string | null;
  readonly note: string | null;
}

export const addSenderSignature = command({
  permission: 'domain.write',
  errors: [InvalidInput, Conflict, LimitReached, NotFound],
  audit: (_input: AddSenderSignatureRequest, { id, address }: SignatureRow) => ({
    action: 'senderSignature.add',
    subjectIds: [encodeId('signature', id)],
    changes: { address },
  }),
  async prepare({ deps, scope, fail }, input) {
    if (input.accountId !== scope.accountId) fail(new NotFound());
    const account = (await findAccount(scope)) ?? fail(new NotFound());
    return { ...checked(input), accountName: account.name, confirmation: makeConfirmation(deps.random) };
  },
  async run({ scope, inside, prepared, fail }) {
    const { mailbox, name, replyTo, note, confirmation } = prepared;
    const signature: SignatureRow = {
      accountId: scope.accountId,
      id: inside.ids.next(),
      address: mailbox.address,
      addressKey: mailbox.key,
      name,
      replyTo,
      note,
      createdAt: scope.now,
      confirmedAt: null,
      ...columnsOf(confirmation, scope.now),
    };
    if (!(await insertSignature(scope, signature))) {
      fail(new Conflict(`The account has the sender signature ${mailbox.address} already.`));
    }
    const { all, unconfirmed } = await countSignatures(scope);
    if (all > MAX_SIGNATURES) fail(new LimitReached('sender signatures for an account', MAX_SIGNATURES));
    if (unconfirmed > MAX_UNCONFIRMED_SIGNATURES) {
      fail(new LimitReached('sender signatures may wait for confirmation', MAX_UNCONFIRMED_SIGNATURES));
    }
    await countAccountMails(scope, [signature.address]);
    return signature;
  },
  afterwards: ({ deps, prepared }, _input, signature) => {
    const url = confirmationUrl(deps.publicUrl, prepared.confirmation);
    return deps.systemMail.send(deps, confirmationMail(signature, prepared.accountName, url));
  },
});

function checked(input: AddSenderSignatureRequest) {
  const issues = collectIssues();
  const mailbox = checkAddress('address', input.address, issues);
  const flaw = mailbox === null ? null : ownershipFlaw(mailbox.domain);
  if (flaw !== null) issues.add(['address'], `has a domain that ${flaw}`);
  const name = checkName(input.name, MAX_SIGNATURE_NAME, issues);
  const replyTo = input.replyTo === null ? null : checkAddress('replyTo', input.replyTo, issues);
  const note = input.note?.trim() || null;
  if (note !== null) checkNote(note, issues);
  if (mailbox === null || issues.found.length > 0) throw new InvalidInput(issues.found);
  return { mailbox, name, replyTo: replyTo?.address ?? null, note };
}

function checkAddress(field: string, text: string, issues: Issues): Mailbox | null {
  const parsed = parseMailbox(text);
  if (!parsed.ok) issues.add([field], parsed.reason);
  else if (parsed.mailbox.name !== null) issues.add([field], 'has a name: give the address alone');
  else return parsed.mailbox;
  return null;
}

function checkNote(note: string, issues: Issues): void {
  const flaw = bodyFlaw(note);
  if (note.length > MAX_SIGNATURE_NOTE) issues.add(['note'], `is longer than ${MAX_SIGNATURE_NOTE} characters`);
  else if (flaw !== null) issues.add(['note'], flaw);
}
