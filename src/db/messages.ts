// Messages: what was accepted, as it is searched; the terms they are found by; their content.
import { type Selectable, sql } from 'kysely';
import { metadataTerms, subjectTerms } from '#/domain/search-terms.ts';
import { bucketOfMessage } from '#/domain/retention.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import { type ReadScope, type SystemScope, withinServers, type WriteScope } from './scope.ts';
import type { MessagesTable } from './tables.gen.ts';
import { array } from './arrays.ts';

export type MessageRow = Selectable<MessagesTable>;
export type NewMessage = MessageRow;

const messageSpec: InsertSpec<{
  [K in keyof NewMessage]: K extends 'metadata' | 'attachments' ? string | null : NewMessage[K];
}> = {
  table: 'messages',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    id: 'uuid',
    serverId: 'uuid',
    streamId: 'uuid',
    fromAddress: 'text',
    fromKey: 'text',
    subject: 'text',
    tag: 'text',
    metadata: 'jsonb',
    acceptedAt: 'timestamptz',
    sendAt: 'timestamptz',
    deliverBy: 'timestamptz',
    expiresAt: 'timestamptz',
    messageIdHeader: 'text',
    attachments: 'jsonb',
    size: 'int',
    sandboxed: 'bool',
  },
};

const termSpec: InsertSpec<{ bucket: number; serverId: string; accountId: string; term: number; messageId: string }> = {
  table: 'message_terms',
  columns: { bucket: 'int', serverId: 'uuid', accountId: 'uuid', term: 'int8', messageId: 'uuid' },
};

/** Messages with the terms they are found by. */
export async function insertMessages(scope: WriteScope, messages: readonly NewMessage[]): Promise<void> {
  const rows = messages.map((message) => ({
    ...message,
    metadata: message.metadata === null ? null : JSON.stringify(message.metadata),
    attachments: message.attachments === null ? null : JSON.stringify(message.attachments),
  }));
  const terms = messages.flatMap(({ bucket, serverId, accountId, id, subject, metadata }) =>
    [...subjectTerms(subject), ...metadataTerms(metadata ?? {})].map((term) => ({
      bucket,
      serverId,
      accountId,
      term,
      messageId: id,
    })),
  );
  await Promise.all([insertAll(scope.tx, messageSpec, rows), insertAll(scope.tx, termSpec, terms)]);
}

/** A stored piece is at most this long, so that large content can be read in parts. */
export const PIECE_BYTES = 1024 * 1024;

/**
 * Encoded content (src/mail/content.ts) of many messages. All bytes travel as one binary parameter that PostgreSQL cuts:
 * an array of bytea would be sent as text, at twice the size.
 */
export async function insertContents(
  scope: WriteScope,
  contents: readonly { readonly messageId: string; readonly body: Buffer }[],
): Promise<void> {
  const ids: string[] = [];
  const buckets: number[] = [];
  const pieces: number[] = [];
  const starts: number[] = [];
  const lengths: number[] = [];
  let offset = 0;
  for (const { messageId, body } of contents) {
    for (let start = 0, piece = 0; start < body.length; start += PIECE_BYTES, piece++) {
      ids.push(messageId);
      buckets.push(bucketOfMessage(messageId));
      pieces.push(piece);
      starts.push(offset + start + 1);
      lengths.push(Math.min(PIECE_BYTES, body.length - start));
    }
    offset += body.length;
  }
  const all =
    contents.length === 1 && contents[0] !== undefined
      ? contents[0].body
      : Buffer.concat(contents.map(({ body }) => body));
  await sql`
    insert into message_contents (bucket, account_id, message_id, piece, body)
    select bucket, ${scope.accountId}::uuid, id, piece, substring(${all}::bytea from start for length)
    from unnest(${array('uuid', ids)}, ${array('int', buckets)}, ${array('smallint', pieces)}, ${array('int', starts)}, ${array('int', lengths)})
      as row (id, bucket, piece, start, length)`.execute(scope.tx);
}

/** Rows of this scope's reach that retention still keeps; others are not there. */
export async function findMessages(scope: ReadScope, ids: readonly string[], now: Date): Promise<MessageRow[]> {
  let query = scope.db
    .selectFrom('messages')
    .selectAll()
    .where('accountId', '=', scope.accountId)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .where('bucket', '=', sql<number>`any(${array('int', [...new Set(ids.map(bucketOfMessage))])})`)
    .where('expiresAt', '>', now);
  const within = withinServers(scope, 'server_id');
  if (within !== null) query = query.where(within);
  if (scope.streamId !== null) query = query.where('streamId', '=', scope.streamId);
  return query.execute();
}

export interface StoredMessage {
  readonly message: MessageRow;
  /** Encoded content, put together from its pieces; null once removed. */
  readonly content: Buffer | null;
}

/** Content of one message that the scope has already found. */
export async function findContent(scope: ReadScope, messageId: string): Promise<Buffer | null> {
  const rows = await scope.db
    .selectFrom('messageContents')
    .select('body')
    .where('accountId', '=', scope.accountId)
    .where('messageId', '=', messageId)
    .where('bucket', '=', bucketOfMessage(messageId))
    .orderBy('piece')
    .execute();
  return rows.length === 0 ? null : Buffer.concat(rows.map(({ body }) => body));
}

/** For whoever holds proof that they may have it, and has no scope. */
export async function findContentForBearer(
  scope: SystemScope,
  { accountId, id }: { readonly accountId: string; readonly id: string },
): Promise<Buffer | null> {
  const rows = await scope.db
    .selectFrom('messageContents')
    .select('body')
    .where('accountId', '=', accountId)
    .where('messageId', '=', id)
    .where('bucket', '=', bucketOfMessage(id))
    .orderBy('piece')
    .execute();
  return rows.length === 0 ? null : Buffer.concat(rows.map(({ body }) => body));
}

/** The same for some messages at once; what is gone is missing from the map. */
export async function findContents(scope: ReadScope, messageIds: readonly string[]): Promise<Map<string, Buffer>> {
  const rows = await scope.db
    .selectFrom('messageContents')
    .select(['messageId', 'body'])
    .where('accountId', '=', scope.accountId)
    .where('messageId', '=', sql<string>`any(${array('uuid', messageIds)})`)
    .where('bucket', '=', sql<number>`any(${array('int', [...new Set(messageIds.map(bucketOfMessage))])})`)
    .orderBy('messageId')
    .orderBy('piece')
    .execute();
  const pieces = Map.groupBy(rows, ({ messageId }) => messageId);
  return new Map([...pieces].map(([id, parts]) => [id, Buffer.concat(parts.map(({ body }) => body))]));
}

/** For delivery: messages with content, of any account, each once however often it is asked for. Keyed by message id. */
export async function loadForDelivery(
  scope: SystemScope,
  keys: readonly { readonly accountId: string; readonly messageId: string }[],
): Promise<Map<string, StoredMessage>> {
  const accountOf = new Map(keys.map(({ accountId, messageId }) => [messageId, accountId]));
  const accounts = [...accountOf.values()];
  const ids = [...accountOf.keys()];
  const buckets = ids.map(bucketOfMessage);
  const wanted = sql<{ accountId: string; id: string; bucket: number }>`
    (select * from unnest(${array('uuid', accounts)}, ${array('uuid', ids)}, ${array('int', buckets)}) as k (account_id, id, bucket))`.as(
    'k',
  );
  const loadingMessages = scope.db
    .selectFrom(wanted)
    .innerJoin('messages as m', (join) =>
      join.onRef('m.accountId', '=', 'k.accountId').onRef('m.id', '=', 'k.id').onRef('m.bucket', '=', 'k.bucket'),
    )
    .selectAll('m')
    .execute();
  const loadingContents = scope.db
    .selectFrom(wanted)
    .innerJoin('messageContents as c', (join) =>
      join
        .onRef('c.accountId', '=', 'k.accountId')
        .onRef('c.messageId', '=', 'k.id')
        .onRef('c.bucket', '=', 'k.bucket'),
    )
    .select(['c.messageId', 'c.piece', 'c.body'])
    .execute();
  const [messages, contents] = await Promise.all([loadingMessages, loadingContents]);
  // Put in order here: the database would sort the bodies to do it.
  const pieces = Map.groupBy(contents, ({ messageId }) => messageId);
  return new Map(messages.map((message) => [message.id, { message, content: join(pieces.get(message.id) ?? []) }]));
}

function join(pieces: readonly { readonly piece: number; readonly body: Buffer }[]): Buffer | null {
  const [first] = pieces;
  if (first === undefined || pieces.length === 1) return first?.body ?? null;
  return Buffer.concat(pieces.toSorted((a, b) => a.piece - b.piece).map(({ body }) => body));
}
