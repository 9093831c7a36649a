// Tells somebody by mail that they have signed in from where they never did: the one who did may be somebody else.
import type { Deps } from '../deps.ts';
import { letterOf } from '../system-mail/letter.ts';
import type { Visitor } from '../visitor.ts';
import type { BegunSession } from './begin-session.ts';

/** In the background: the answer does not wait for the mail. */
export function tellOfNewDevice(deps: Deps, visitor: Visitor, { user, session, fromNewDevice }: BegunSession): void {
  if (!fromNewDevice) return;
  const when = session.createdAt.toISOString().replace('T', ' ').slice(0, 16);
  const letter = letterOf({
    to: user.email,
    subject: 'You signed in to Veredus from a new device',
    paragraphs: [
      `Somebody has signed in as ${user.email} from a device that did not do so before.`,
      `When: ${when} UTC\nFrom: ${visitor.ipAddress}\nWith: ${session.userAgent === '' ? 'something that does not say its name' : session.userAgent}`,
      'If it was you, there is nothing to do.',
    ],
    afterword:
      'If it was not: sign in, end that session under your sessions, and change your password, which somebody knows. Set up a second factor where you have none.',
  });
  deps.background.start('mail of a new device', () => deps.systemMail.send(deps, letter));
}
