// Appends to the log, in the transaction of what it tells: an event is there exactly when its cause is.
import { insertAll, type InsertSpec } from '#/db/insert-all.ts';
import type { SystemWriteScope, WriteScope } from '#/db/scope.ts';
import { bucketOfMessage } from '#/domain/retention.ts';
import type { NewEvent } from './catalogue.ts';

interface EventRow {
  bucket: number;
  accountId: string;
  serverId: string;
  id: string;
  type: string;
  occurredAt: Date;
  messageId: string;
  streamId: string;
  recipient: string | null;
  tag: string | null;
  metadata: string | null;
  data: string | null;
}

const spec: InsertSpec<EventRow> = {
  table: 'events',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    serverId: 'uuid',
    id: 'uuid',
    type: { enum: 'message_event_type' },
    occurredAt: 'timestamptz',
    messageId: 'uuid',
    streamId: 'uuid',
    recipient: 'text',
    tag: 'text',
    metadata: 'jsonb',
    data: 'jsonb',
  },
  computed: { log_xact: 'pg_current_xact_id()::text::bigint + (select log_offset from installation)' },
};

/** Events of one call keep their order: their ids must rise (Ids.next does). The caller nudges `events` after commit. */
export async function append(scope: WriteScope | SystemWriteScope, events: readonly NewEvent[]): Promise<void> {
  const rows = events.map((event) => ({
    bucket: event.bucket ?? bucketOfMessage(event.messageId),
    accountId: event.accountId,
    serverId: event.serverId,
    id: event.id,
    type: event.type,
    occurredAt: scope.now,
    messageId: event.messageId,
    streamId: event.streamId,
    recipient: event.recipient,
    tag: event.tag,
    metadata: event.metadata === null ? null : JSON.stringify(event.metadata),
    data: event.data === null ? null : JSON.stringify(event.data),
  }));
  await insertAll(scope.tx, spec, rows);
}
