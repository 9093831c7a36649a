// Whom a notification is about when retention has removed the message: the mail itself names an address, and the
// reverse-path shows whether that is the one we wrote to, and on which stream.
import { findRetention, listSendingStreams, type ReturnedSubject } from '#/db/returned-subjects.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { decodeIdOf } from '#/domain/ids.ts';
import { valueOf } from '#/mail/bounce/fields.ts';
import type { Returned } from '#/mail/bounce/returned.ts';
import { recipientsOf } from '#/mail/bounce/original.ts';
import { recipientTag, type VerpRecipient } from '#/mail/reverse-path.ts';
import type { Deps } from '../deps.ts';

/** Each pair of address and stream costs an HMAC, some 3 µs: 30 ms at most. */
const MAX_ADDRESSES = 20;
const MAX_STREAMS = 500;

export async function forgottenSubject(
  { system, returnPathSecret }: Pick<Deps, 'system' | 'returnPathSecret'>,
  accountId: string,
  { messageId, ordinal, tag }: VerpRecipient,
  returned: Returned,
): Promise<ReturnedSubject | null> {
  const addresses = claimedAddresses(returned);
  if (addresses.length === 0) return null;
  const streams = await listSendingStreams(system, accountId, MAX_STREAMS);
  const named = claimedStream(returned);
  const likely = streams.toSorted((a, b) => Number(b.id === named) - Number(a.id === named));
  for (const { id: streamId, serverId } of likely) {
    for (const address of addresses) {
      if (recipientTag({ messageId, streamId, address }, returnPathSecret) !== tag) continue;
      const retentionDays = await findRetention(system, accountId);
      if (retentionDays === null) return null;
      const of = { accountId, serverId, streamId, messageId, ordinal, address };
      return { ...of, tag: null, metadata: null, retentionDays };
    }
  }
  return null;
}

function claimedAddresses(returned: Returned): readonly string[] {
  if (returned.kind === 'ordinary') return [];
  const told =
    'feedbackType' in returned
      ? returned.recipients
      : [
          ...returned.recipients.flatMap(({ address, finalRecipient }) => [address, finalRecipient ?? address]),
          ...('from' in returned && returned.from !== null ? [returned.from] : []),
        ];
  const addresses = new Set<string>();
  for (const text of [...told, ...recipientsOf(returned.original)]) {
    const parsed = parseMailbox(text);
    if (parsed.ok) addresses.add(parsed.mailbox.address);
    if (addresses.size === MAX_ADDRESSES) break;
  }
  return [...addresses];
}

/** Our Feedback-ID begins with the stream. */
function claimedStream(returned: Returned): string | null {
  if (returned.kind === 'ordinary' || returned.original === null) return null;
  const [id = ''] = valueOf(returned.original.fields, 'feedback-id').split(':', 1);
  return decodeIdOf('stream', id.trim().toLowerCase());
}
