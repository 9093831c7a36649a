// What the mailed link does. Its secret is the right to do it: there is no caller.
import { type ContactRow, findContactBySecret, lockContact, updateContact } from '#/db/emergency-contacts.ts';
import { InvalidCode } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import type { Visitor } from '../visitor.ts';

const confirm = command({
  permission: 'contact.write',
  errors: [InvalidCode],
  audit: ({ id }: { readonly id: string; readonly hash: Buffer }, { email }: ContactRow) => ({
    action: 'contact.confirm',
    subjectIds: [encodeId('contact', id)],
    changes: { email },
  }),
  async run({ scope, fail }, { id, hash }) {
    const contact = await lockContact(scope, id);
    // Used, or replaced by a newer one, since it was looked up.
    if (contact?.confirmationHash?.equals(hash) !== true) return fail(new InvalidCode());
    return updateContact(scope, id, { confirmedAt: scope.now, confirmationHash: null, confirmationExpiresAt: null });
  },
});

/** What the link is about; null when it is not one of ours, is used, or has expired. */
export async function findContactConfirmation(
  deps: Deps,
  secret: string,
): Promise<(ContactRow & { readonly accountName: string }) | null> {
  const hash = hashOfSecret(secret);
  return hash === null ? null : ((await findContactBySecret(deps.db, hash, deps.clock.now())) ?? null);
}

/** What is confirmed now. Throws InvalidCode where there is nothing to confirm. */
export async function confirmEmergencyContact(
  deps: Deps,
  secret: string,
  { requestId, ipAddress }: Pick<Visitor, 'requestId' | 'ipAddress'>,
): Promise<ContactRow> {
  const contact = await findContactConfirmation(deps, secret);
  const hash = contact?.confirmationHash ?? null;
  if (contact === null || hash === null) throw new InvalidCode();
  const { accountId, id } = contact;
  const actor = { kind: 'OPERATOR', accountId, label: 'confirmation link' } as const;
  return confirm(deps, { actor, requestId, ipAddress }, { id, hash });
}
