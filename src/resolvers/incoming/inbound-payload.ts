// The body of a call for an inbound message: the fields that the GraphQL API shows of it, under the same names.
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { readSlugs } from '#/db/webhook-facts.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_INLINE_ATTACHMENTS } from '#/domain/webhooks/inbound-call.ts';
import type { IncomingAttachment } from '#/mail/mime/incoming-mail.ts';
import type { Deps } from '../deps.ts';
import {
  blindRecipients,
  type InboundContent,
  inboundPeople,
  readInboundContents,
} from '../inbound/inbound-content.ts';

/** Null: its content is not kept any more. */
export async function inboundPayload(
  { system, clock }: Pick<Deps, 'system' | 'clock'>,
  message: InboundMessageRow,
): Promise<string | null> {
  const { accountId, id, streamId } = message;
  const { content, slug } = await writeInSystemScope(system, clock.now(), async (scope) => {
    const contents = await readInboundContents(scopeOfAccount(scope, accountId), clock, [id]);
    const slugs = await readSlugs(scope.tx, [{ accountId, streamId }]);
    return { content: contents.get(id), slug: slugs.get(streamId) ?? '' };
  });
  if (content === undefined) return null;
  const { attachments, ...text } = await read(content);
  const body = JSON.stringify({ ...aboutOf(message, slug), ...text });
  // Base64 needs no escaping: what may be megabytes is not looked through character by character.
  return `${body.slice(0, -1)},"attachments":[${attachments.join(',')}]}`;
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
async function read(content: InboundContent) {
  try {
    const { text, html, headers, attachments } = await content.mail();
    const total = attachments.reduce((sum, { size }) => sum + size, 0);
    return {
      textBody: text,
      htmlBody: html,
      strippedReply: await content.strippedReply(),
      headers,
      attachments: attachments.map((attachment) => attachmentText(attachment, total <= MAX_INLINE_ATTACHMENTS)),
    };
  } catch {
    return { textBody: null, htmlBody: null, strippedReply: null, headers: [], attachments: [] };
  }
}

function attachmentText({ name, contentType, size, contentId, content }: IncomingAttachment, inline: boolean): string {
  const about = JSON.stringify({ name: name ?? '', contentType, size, contentId });
  const { buffer, byteOffset, byteLength } = content;
  const base64 = inline ? `"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"` : 'null';
  return `${about.slice(0, -1)},"content":${base64}}`;
}
