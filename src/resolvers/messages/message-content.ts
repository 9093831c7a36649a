// What a message says: bodies, attachments, and the source as it is delivered.
import { z } from 'zod';
import { findContents, type MessageRow } from '#/db/messages.ts';
import type { ReadScope } from '#/db/scope.ts';
import { composeMessage } from '#/mail/compose.ts';
import { decodeContent, type StoredContent } from '#/mail/content.ts';
import { identityOf } from '#/mail/message-identity.ts';

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

/** Of messages that the scope has found; missing where the content was removed. */
export async function readContents(scope: ReadScope, ids: readonly string[]): Promise<Map<string, StoredContent>> {
  const stored = await findContents(scope, ids);
  return new Map([...stored].map(([id, body]) => [id, decodeContent(body)]));
}

/** Composed as delivery composes it, from the same identity; signatures and what differs per recipient stand before it on the wire. */
export function composeSource(message: MessageRow, content: StoredContent): string {
  return composeMessage(content, identityOf(message)).source.toString('utf8');
}
