// Whom a notification is about: a recipient of a message of ours, and what changes for it.
import { sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';

export interface ReturnedSubject {
  readonly accountId: string;
  readonly serverId: string;
  readonly streamId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly address: string;
  readonly tag: string | null;
  readonly metadata: Record<string, string> | null;
  readonly retentionDays: number;
}

interface Place {
  readonly accountId: string;
  readonly messageId: string;
}

function subjects(scope: SystemScope, { accountId, messageId }: Place) {
  return scope.db
    .selectFrom('recipients as r')
    .innerJoin('messages as m', (join) =>
      join
        .onRef('m.accountId', '=', 'r.accountId')
        .onRef('m.id', '=', 'r.messageId')
        .onRef('m.bucket', '=', 'r.bucket'),
    )
    .innerJoin('accounts as a', 'a.id', 'r.accountId')
    .select(['r.accountId', 'm.serverId', 'm.streamId', 'r.messageId', 'r.ordinal', 'r.address', 'm.tag', 'm.metadata'])
    .select(['a.retentionDays', 'm.messageIdHeader'])
    .where('r.accountId', '=', accountId)
    .where('r.messageId', '=', messageId)
    .where('r.bucket', '=', bucketOfMessage(messageId));
}

/** Null: retention has removed it, or there never was one. */
export async function findSubject(
  scope: SystemScope,
  place: Place & { readonly ordinal: number },
): Promise<ReturnedSubject | null> {
  const row = await subjects(scope, place).where('r.ordinal', '=', place.ordinal).executeTakeFirst();
  return row ?? null;
}

/** All recipients of a message that has this Message-ID. */
export function listSubjects(
  scope: SystemScope,
  place: Place & { readonly messageIdHeader: string },
): Promise<ReturnedSubject[]> {
  return subjects(scope, place).where('m.messageIdHeader', '=', place.messageIdHeader).orderBy('r.ordinal').execute();
}

/** Messages whose sender has given them this Message-ID, newest first: nothing keeps senders from giving it twice. */
export async function listMessagesByOwnId(
  scope: SystemScope,
  { accountId, messageIdHeader }: { readonly accountId: string; readonly messageIdHeader: string },
  limit: number,
): Promise<string[]> {
  const rows = await scope.db
    .selectFrom('messages')
    .select('id')
    .where('accountId', '=', accountId)
    .where('messageIdHeader', '=', messageIdHeader)
    .where(sql<boolean>`message_id_header not like '<msg~_%' escape '~'`)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

export interface AccountStream {
  readonly id: string;
  readonly serverId: string;
}

/** Streams that the account sends on, newest first. */
export function listSendingStreams(scope: SystemScope, accountId: string, limit: number): Promise<AccountStream[]> {
  return scope.db
    .selectFrom('messageStreams')
    .select(['id', 'serverId'])
    .where('accountId', '=', accountId)
    .where('kind', '<>', 'INBOUND')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

export async function findRetention(scope: SystemScope, accountId: string): Promise<number | null> {
  const row = await scope.db
    .selectFrom('accounts')
    .select('retentionDays')
    .where('id', '=', accountId)
    .executeTakeFirst();
  return row?.retentionDays ?? null;
}

/**
 * The one way out of a final state: what a server has taken, or may have, came back. Delivery itself never sees such a
 * recipient again.
 */
export async function markReturned(scope: SystemWriteScope, subject: ReturnedSubject): Promise<void> {
  await sql`
    update recipients set status = 'BOUNCED', settled_at = ${scope.now}
    where account_id = ${subject.accountId}::uuid and message_id = ${subject.messageId}::uuid
      and ordinal = ${subject.ordinal} and bucket = ${bucketOfMessage(subject.messageId)}
      and status in ('DELIVERED', 'IN_DOUBT')`.execute(scope.tx);
}
