// What a message says: bodies, attachments, and the source as it is delivered.
import { z } from 'zod';
import { findContents, type MessageRow } from '#/db/messages.ts';
import type { ReadScope } from '#/db/scope.ts';
import { composeStored } from '#/mail/compose.ts';
import { decodeStored, type Stored } from '#/mail/content.ts';
import { identityOf } from '#/mail/message-identity.ts';
import { readMail } from '#/mail/mime/offload.ts';

/** As acceptance writes it beside the message; null without any. */
const Attachments = z.array(z.object({ name: z.string(), contentType: z.string(), size: z.number() })).nullable();

export interface AttachmentInfo {
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
}

export function attachmentsOf({ attachments }: MessageRow): readonly AttachmentInfo[] {
  return Attachments.parse(attachments) ?? [];
}

export interface Bodies {
  readonly html: string | null;
  readonly text: string | null;
}

export interface MessageContent {
  readonly stored: Stored;
  /** Of a message that came as one they are read out of it, once, when somebody wants them. */
  bodies(): Promise<Bodies>;
}

/** Of messages that the scope has found; missing where the content was removed. */
export async function readContents(scope: ReadScope, ids: readonly string[]): Promise<Map<string, MessageContent>> {
  const found = await findContents(scope, ids);
  return new Map([...found].map(([id, body]) => [id, messageContent(decodeStored(body))]));
}

function messageContent(stored: Stored): MessageContent {
  let reading: Promise<Bodies> | null = null;
  const read = (): Promise<Bodies> =>
    stored.kind === 'parts' ? Promise.resolve(stored.content) : readMail(stored.content.source);
  return { stored, bodies: () => (reading ??= read()) };
}

/** Composed as delivery composes it, from the same identity; signatures and what differs per recipient stand before it on the wire. */
export function composeSource(message: MessageRow, { stored }: MessageContent): string {
  return composeStored(stored, identityOf(message)).source.toString('utf8');
}
