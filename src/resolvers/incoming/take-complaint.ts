// Mail to the feedback address of a domain: a provider tells that somebody called a message spam. It is believed about a
// recipient whom it proves to have been written to: by the reverse-path of the message it returns, or by its Message-ID
// and one of its recipients.
import { findDomainOfReturnPath } from '#/db/incoming-addresses.ts';
import { findSubject, listMessagesByOwnId, listSubjects, type ReturnedSubject } from '#/db/returned-subjects.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import { addressIn } from '#/mail/bounce/addresses.ts';
import type { Complaint } from '#/mail/bounce/returned.ts';
import { partsOf } from '#/mail/incoming-address.ts';
import { readVerp, type VerpRecipient } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';
import { forgottenSubject } from './forgotten-subject.ts';
import { newsOf } from './news.ts';
import { recordNews } from './record-news.ts';
import { type Ignored, readReturnedWithin } from './take-returned.ts';

/** Addresses of a returned message that are tried. */
const MAX_PATHS = 20;
/** Messages of one Message-ID that are looked at. */
const MAX_SAME_ID = 5;

export async function takeComplaint(
  deps: Deps,
  { accountId, source }: { readonly accountId: string; readonly source: Buffer },
): Promise<Ignored | null> {
  const complaint = await readReturnedWithin(deps, source);
  if (complaint.kind !== 'complaint') return 'NO_NEWS';
  const news = newsOf(complaint, null, false);
  if (news === null) return 'NO_NEWS';
  const subject = (await byReversePath(deps, accountId, complaint)) ?? (await byMessageId(deps, accountId, complaint));
  if (subject === null) return 'UNMATCHED';
  return (await recordNews(deps, { subject, news, source })) ? null : 'KNOWN';
}

async function byReversePath(deps: Deps, accountId: string, complaint: Complaint): Promise<ReturnedSubject | null> {
  for (const { path, verp } of pathsOf(complaint, deps.returnPathSecret)) {
    const domain = await findDomainOfReturnPath(deps.system, partsOf(path).domain);
    if (domain?.accountId !== accountId) continue;
    const known = await findSubject(deps.system, { accountId, ...verp });
    return known ?? forgottenSubject(deps, accountId, verp, complaint);
  }
  return null;
}

function pathsOf(
  { original, originalMailFrom }: Complaint,
  secret: Uint8Array,
): { readonly path: string; readonly verp: VerpRecipient }[] {
  const named = [originalMailFrom, original?.returnPath ?? null];
  const values = (original?.fields ?? []).flatMap(({ value }) => (/msg_[0-9a-z]{26}-/i.test(value) ? [value] : []));
  const paths = new Set([...named, ...values.slice(0, MAX_PATHS).map(addressIn)].filter((path) => path !== null));
  return [...paths].flatMap((path) => {
    const verp = readVerp(path, secret);
    return verp === null ? [] : [{ path, verp }];
  });
}

/** The one that we have made holds the id of the message. */
async function byMessageId(deps: Deps, accountId: string, complaint: Complaint): Promise<ReturnedSubject | null> {
  const header = complaint.originalMessageId?.trim() ?? '';
  const messageId = decodeIdOf('message', /^<(msg_[0-9a-z]{26})@/.exec(header)?.[1] ?? '');
  if (messageId === null) return byOwnMessageId(deps, accountId, header, complaint);
  const recipients = await listSubjects(deps.system, { accountId, messageId, messageIdHeader: header });
  const [only, another] = recipients;
  // Redacted, or forwarded to another address: then only a message to one person tells who it was.
  return namedIn(complaint, recipients) ?? (another === undefined ? (only ?? null) : null);
}

/** One that the customer has made may be easy to guess: it counts for a recipient whom the complaint names besides. */
async function byOwnMessageId(
  { system }: Deps,
  accountId: string,
  messageIdHeader: string,
  complaint: Complaint,
): Promise<ReturnedSubject | null> {
  if (messageIdHeader === '' || complaint.recipients.length === 0) return null;
  for (const messageId of await listMessagesByOwnId(system, { accountId, messageIdHeader }, MAX_SAME_ID)) {
    const named = namedIn(complaint, await listSubjects(system, { accountId, messageId, messageIdHeader }));
    if (named !== null) return named;
  }
  return null;
}

function namedIn(complaint: Complaint, recipients: readonly ReturnedSubject[]): ReturnedSubject | null {
  const told = new Set(complaint.recipients.map(keyOfAddress));
  return recipients.find(({ address }) => told.has(keyOfAddress(address))) ?? null;
}
