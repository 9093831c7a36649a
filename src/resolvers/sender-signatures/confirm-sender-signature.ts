// What the mailed link does. Its secret is the right to do it: there is no caller.
import { findSignatureBySecret, lockSignature, type SignatureRow, updateSignature } from '#/db/sender-signatures.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';

const confirm = command({
  permission: 'domain.write',
  errors: [NotFound],
  announces: ['config'],
  audit: ({ id }: { readonly id: string; readonly hash: Buffer }, { address }: SignatureRow) => ({
    action: 'senderSignature.confirm',
    subjectIds: [encodeId('signature', id)],
    changes: { address },
  }),
  async run({ scope, fail }, { id, hash }) {
    const signature = await lockSignature(scope, id);
    // Used, or replaced by a newer one, since it was looked up.
    if (signature?.confirmationHash?.equals(hash) !== true) return fail(new NotFound());
    return updateSignature(scope, id, { confirmedAt: scope.now, confirmationHash: null, confirmationExpiresAt: null });
  },
});

/** The address that the link is about; null when it is not one of ours, is used, or has expired. */
export async function findConfirmation(deps: Deps, secret: string): Promise<string | null> {
  return (await find(deps, secret))?.address ?? null;
}

/** The address that is confirmed now; null as above. */
export async function confirmSenderSignature(
  deps: Deps,
  secret: string,
  request: { readonly requestId: string; readonly ipAddress: string | null },
): Promise<string | null> {
  const signature = await find(deps, secret);
  const hash = signature?.confirmationHash ?? null;
  if (signature === null || hash === null) return null;
  const { accountId, id } = signature;
  const actor = { kind: 'OPERATOR', accountId, label: 'confirmation link' } as const;
  try {
    return (await confirm(deps, { actor, ...request }, { id, hash })).address;
  } catch (error) {
    if (error instanceof NotFound) return null;
    throw error;
  }
}

async function find(deps: Deps, secret: string): Promise<SignatureRow | null> {
  const hash = hashOfSecret(secret);
  return hash === null ? null : ((await findSignatureBySecret(deps.db, hash, deps.clock.now())) ?? null);
}
