// What an inbound message says: read out of its source when somebody wants it.
import { z } from 'zod';
import { findContents } from '#/db/messages.ts';
import type { InboundMessageRow } from '#/db/inbound-messages.ts';
import type { ReadScope } from '#/db/scope.ts';
import { keyOfAddress } from '#/domain/suppression.ts';
import { decodeLargeStored } from '#/mail/content.ts';
import { inboundLocalPart } from '#/mail/incoming-address.ts';
import type { IncomingMail } from '#/mail/mime/incoming-mail.ts';
import { readMail, readStrippedReply } from '#/mail/mime/offload.ts';
import { isReply } from '#/mail/reply/new-text.ts';
import type { Clock } from '#/runtime/ports.ts';
import type { Deps } from '../deps.ts';
import type { InboundAttachment, People } from '../incoming/read-incoming.ts';
import { withinTime } from '../incoming/within-time.ts';

const PersonShape = z.object({ name: z.string(), address: z.string() });
const PeopleShape = z.object({
  from: PersonShape,
  to: z.array(PersonShape),
  cc: z.array(PersonShape),
  replyTo: z.array(PersonShape),
});
const AttachmentsShape = z
  .array(z.object({ name: z.string(), contentType: z.string(), size: z.number(), contentId: z.string().nullable() }))
  .nullable();

export function inboundPeople({ people }: InboundMessageRow): People {
  return PeopleShape.parse(people);
}

export function inboundAttachments({
  attachments,
}: Pick<InboundMessageRow, 'attachments'>): readonly InboundAttachment[] {
  return AttachmentsShape.parse(attachments) ?? [];
}

/** The address that it came to where no field of the message names it, as for who was in Bcc. */
export function blindRecipients(message: InboundMessageRow): readonly string[] {
  const { to, cc } = inboundPeople(message);
  const named = [...to, ...cc].some(({ address }) => keyOfAddress(address) === message.recipientKey);
  return named ? [] : [message.originalRecipient];
}

export interface InboundContent {
  readonly source: Buffer;
  mail(): Promise<IncomingMail>;
  /** The new text of a reply; null for what answers nothing. */
  strippedReply(): Promise<string | null>;
}

/** Of messages that the scope has found; missing where the content was removed. */
export async function readInboundContents(
  scope: ReadScope,
  clock: Clock,
  ids: readonly string[],
): Promise<Map<string, InboundContent>> {
  const found = await findContents(scope, ids);
  const contents = [...found].map(async ([id, body]) => [id, await contentOf(clock, body)] as const);
  return new Map(await Promise.all(contents));
}

async function contentOf(clock: Clock, body: Buffer): Promise<InboundContent> {
  const stored = await decodeLargeStored(body);
  if (stored.kind !== 'source') throw new Error('an inbound message is stored as its source');
  const { source } = stored.content;
  let reading: Promise<IncomingMail> | null = null;
  const mail = () => (reading ??= withinTime(clock, (signal) => readMail(source, { signal })));
  return {
    source,
    mail,
    async strippedReply() {
      const { headers, text, html } = await mail();
      if (!isReply({ headers })) return null;
      return (await withinTime(clock, (signal) => readStrippedReply({ text, html }, { signal }))).reply;
    },
  };
}

/** The address that every server has. */
export function inboundAddress({ returnPathSecret, mailHost }: Deps, serverId: string): string {
  return `${inboundLocalPart(serverId, returnPathSecret)}@${mailHost}`;
}
