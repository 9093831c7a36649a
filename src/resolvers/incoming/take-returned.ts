// Mail to a reverse-path of ours: a notification about the recipient whom the path names, or nothing of interest. The
// caller has checked the path; what stands in the mail is believed about that recipient alone.
import { findDomainOfReturnPath } from '#/db/incoming-addresses.ts';
import { findSubject } from '#/db/returned-subjects.ts';
import { readReturnedMail } from '#/mail/mime/offload.ts';
import type { Returned } from '#/mail/bounce/returned.ts';
import { partsOf } from '#/mail/incoming-address.ts';
import { readVerp } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';
import { forgottenSubject } from './forgotten-subject.ts';
import { newsOf } from './news.ts';
import { recordNews } from './record-news.ts';
import { withinTime } from './within-time.ts';

export interface IncomingSource {
  /** To which address it came. */
  readonly recipient: string;
  /** Of the envelope; empty for the null sender. */
  readonly sender: string;
  readonly source: Buffer;
}

/** Why nothing was recorded; null: something was. */
export type Ignored = 'NOT_OURS' | 'FORGOTTEN' | 'NO_NEWS' | 'KNOWN' | 'UNMATCHED' | 'REFUSED';

export async function takeReturned(deps: Deps, { recipient, sender, source }: IncomingSource): Promise<Ignored | null> {
  const verp = readVerp(recipient, deps.returnPathSecret);
  if (verp === null) return 'NOT_OURS';
  const domain = await findDomainOfReturnPath(deps.system, partsOf(recipient).domain);
  if (domain === null) return 'NOT_OURS';
  const { accountId } = domain;
  const { messageId, ordinal } = verp;
  const returned = await readReturnedWithin(deps, source);
  const known = await findSubject(deps.system, { accountId, messageId, ordinal });
  const subject = known ?? (await forgottenSubject(deps, accountId, verp, returned));
  if (subject === null) return 'FORGOTTEN';
  const news = newsOf(returned, subject.address, sender === '');
  if (news === null) return 'NO_NEWS';
  return (await recordNews(deps, { subject, news, source })) ? null : 'KNOWN';
}

/** What cannot be read is not a reason to have it sent again. */
export async function readReturnedWithin({ clock, log }: Deps, source: Uint8Array): Promise<Returned> {
  try {
    return await withinTime(clock, (signal) => readReturnedMail(source, { signal }));
  } catch (error) {
    log.warn({ error, size: source.length }, 'a message that came back could not be read');
    return { kind: 'ordinary' };
  }
}
