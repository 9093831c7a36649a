// The new text of a message that answers another one.
import type { IncomingMail } from '../mime/incoming-mail.ts';
import { strippedReply } from './stripped-reply.ts';

/** As Postmark sees it: by the fields in which a program says so. */
export function isReply({ headers }: Pick<IncomingMail, 'headers'>): boolean {
  return headers.some(({ name }) => /^(?:in-reply-to|references)$/i.test(name));
}

/** Null for what answers nothing. */
export function newTextOf(mail: Pick<IncomingMail, 'headers' | 'text' | 'html'>): string | null {
  return isReply(mail) ? strippedReply(mail).reply : null;
}
