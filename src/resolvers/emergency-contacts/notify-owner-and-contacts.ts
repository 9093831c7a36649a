// Mails the owner of an account and every confirmed contact: what must not be missed because somebody is on holiday.
import { listEmergencyAddresses } from '#/db/emergency-contacts.ts';
import type { Deps } from '../deps.ts';
import { type Letter, letterOf } from '../system-mail/letter.ts';

/** Answers whom it was sent to. A mail that is not accepted goes to the operator's log, like all of the installation's. */
export async function notifyOwnerAndContacts(
  deps: Deps,
  accountId: string,
  letter: Omit<Letter, 'to'>,
): Promise<readonly string[]> {
  const addresses = await listEmergencyAddresses(deps.db, accountId);
  await Promise.all(addresses.map((to) => deps.systemMail.send(deps, letterOf({ ...letter, to }))));
  return addresses;
}
