// The mail about a pause, to the owner and all emergency contacts, always: mail that does not leave must not be found out
// from those who wait for it.
import type { ServerRow } from '#/db/servers.ts';
import { instructionsFor, type PauseReason } from '#/domain/sending-pause.ts';
import type { Deps } from '../deps.ts';
import { notifyOwnerAndContacts } from '../emergency-contacts/notify-owner-and-contacts.ts';

interface Told {
  readonly reason: PauseReason;
  readonly note: string | null;
  /** Who paused it; null: the program itself. */
  readonly by: string | null;
  readonly accountName: string;
}

export async function tellOfPause(
  deps: Deps,
  server: ServerRow,
  { reason, note, by, accountName }: Told,
): Promise<void> {
  const { accountId, name } = server;
  await notifyOwnerAndContacts(deps, accountId, {
    subject: `Sending of ${name} is paused`,
    paragraphs: [
      `Sending of the server ${name} of ${accountName} is paused since ${deps.clock.now().toISOString()} (${reason}${by === null ? '' : `, by ${by}`}).`,
      ...(note === null ? [] : [`What was said: ${note}`]),
      'What was accepted before waits, and goes when sending is resumed, if its time has not run out by then. New mail is refused until then: by the API with SendingPaused, by SMTP with 451, so that a mail program tries again by itself.',
      `What to do: ${instructionsFor({ reason })}`,
    ],
  });
}
