// Tells somebody by mail that what they sign in with is another: whoever did it may be somebody else.
import type { Deps } from '../deps.ts';
import { letterOf } from '../system-mail/letter.ts';

/** `what`: a whole sentence. In the background: the answer does not wait for the mail. */
export function tellOfChange(deps: Deps, email: string, what: string): void {
  const letter = letterOf({
    to: email,
    subject: 'Your second factor at Veredus was changed',
    paragraphs: [what, 'If it was you, there is nothing to do.'],
    afterword:
      'If it was not: somebody is signed in as you. End all other sessions, change your password, and look through your second factors.',
  });
  deps.background.start('mail of a changed second factor', () => deps.systemMail.send(deps, letter));
}
