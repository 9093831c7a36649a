// The body of a call for an inbound message: the fields that the GraphQL API shows of it, under the same names.
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { readSlugs } from '#/db/webhook-facts.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_INLINE_ATTACHMENTS } from '#/domain/webhooks/inbound-call.ts';
import { readContentJson } from '#/mail/mime/offload.ts';
import type { Clock } from '#/runtime/ports.ts';
import type { Deps } from '../deps.ts';
import {
  blindRecipients,
  type InboundContent,
  inboundPeople,
  readInboundContents,
} from '../inbound/inbound-content.ts';
import { withinTime } from './within-time.ts';

/** Null: its content is not kept any more. */
export async function inboundPayload(
  { system, clock }: Pick<Deps, 'system' | 'clock'>,
  message: InboundMessageRow,
): Promise<Uint8Array | null> {
  const { accountId, id, streamId } = message;
  const { content, slug } = await writeInSystemScope(system, clock.now(), async (scope) => {
    const contents = await readInboundContents(scopeOfAccount(scope, accountId), clock, [id]);
    const slugs = await readSlugs(scope.tx, [{ accountId, streamId }]);
    return { content: contents.get(id), slug: slugs.get(streamId) ?? '' };
  });
  if (content === undefined) return null;
  return bodyOf(clock, JSON.stringify(aboutOf(message, slug)), content);
}

function aboutOf(message: InboundMessageRow, stream: string): object {
  const { from, to, cc, replyTo } = inboundPeople(message);
  const addresses = (people: readonly { readonly address: string }[]) => people.map(({ address }) => address);
  return {
    id: encodeId('inboundMessage', message.id),
    type: 'INBOUND',
    receivedAt: message.receivedAt,
    serverId: encodeId('server', message.serverId),
    stream,
    from: message.fromAddress,
    fromName: from.name,
    to: addresses(to),
    cc: addresses(cc),
    bcc: blindRecipients(message),
    replyTo: addresses(replyTo),
    toFull: to,
    ccFull: cc,
    originalRecipient: message.originalRecipient,
    mailboxHash: message.mailboxHash,
    subject: message.subject,
    messageIdHeader: message.messageIdHeader,
    date: message.dateHeader,
    size: message.size,
    spamScore: message.spamScore,
    authentication: message.authentication,
  };
}

/** A message that cannot be read is told of too, with what stands in its row. */
async function bodyOf(clock: Clock, about: string, { source }: InboundContent): Promise<Uint8Array> {
  const options = { about, mostFiles: MAX_INLINE_ATTACHMENTS };
  try {
    return await withinTime(clock, (signal) => readContentJson(source, options, { signal }));
  } catch {
    const nothing = { textBody: null, htmlBody: null, strippedReply: null, headers: [], attachments: [] };
    return Buffer.from(JSON.stringify({ ...(JSON.parse(about) as object), ...nothing }));
  }
}
