// What the link of an invitation is about, for the page behind it.
import { findInvitationBySecret } from '#/db/invitations.ts';
import { findUserByEmail } from '#/db/users.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';

export interface InvitationFacts {
  readonly email: string;
  readonly accountName: string;
  /** Somebody signs in with the address already. Whoever reads its mail may know. */
  readonly known: boolean;
}

/** Null: the link is not, or no longer, good. */
export async function findInvitationLink(deps: Deps, secret: string): Promise<InvitationFacts | null> {
  const hash = hashOfSecret(secret);
  const invitation = hash === null ? undefined : await findInvitationBySecret(deps.db, hash, deps.clock.now());
  if (invitation === undefined) return null;
  const { email, accountName } = invitation;
  return { email, accountName, known: (await findUserByEmail(deps.db, email)) !== undefined };
}
