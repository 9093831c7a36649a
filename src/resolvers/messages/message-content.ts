// What a message says: bodies, and the source as it is delivered.
import { findContents, type MessageRow } from '#/db/messages.ts';
import type { ReadScope } from '#/db/scope.ts';
import { composeMessage } from '#/mail/compose.ts';
import { decodeContent, type StoredContent } from '#/mail/content.ts';

/** Of messages that the scope has found; missing where the content was removed. */
export async function readContents(scope: ReadScope, ids: readonly string[]): Promise<Map<string, StoredContent>> {
  const stored = await findContents(scope, ids);
  return new Map([...stored].map(([id, body]) => [id, decodeContent(body)]));
}

/** Composed as delivery composes it, from the same identity; what differs per recipient stands before it on the wire. */
export function composeSource(message: MessageRow, content: StoredContent): string {
  const identity = { messageId: message.messageIdHeader, date: message.acceptedAt, seed: message.id };
  return composeMessage(content, identity).source.toString('utf8');
}
