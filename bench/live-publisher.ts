// Writes events as the product does: in transactions of their own, with a wake-up after the commit. Their tag is the time
// before the transaction began, so what is measured from it is rather too much.
import { connectDatabase } from '#/db/client.ts';
import { systemScope, writeInSystemScope } from '#/db/scope.ts';
import { bucketAt, RETENTION_DAYS } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import { createChannel } from '#/events/channel.ts';
import { systemClock } from '#/runtime/clock.ts';
import { createIds } from '#/runtime/ids.ts';
import { createLog } from '#/runtime/log.ts';
import { systemRandom } from '#/runtime/random.ts';
import { connect } from './database.ts';
import type { Serving } from './serving.ts';
import { wallClock } from './wall-clock.ts';

export interface Publisher extends AsyncDisposable {
  /** So many in one transaction. */
  publish(events: number): Promise<void>;
}

export async function startPublisher({ connectionString, accountUuid, serverUuid }: Serving): Promise<Publisher> {
  const database = connectDatabase({ connectionString, maxConnections: 4 });
  const channel = createChannel({ connectionString, clock: systemClock, log: createLog({ level: 'warn' }) });
  const scope = systemScope(database.db);
  const ids = createIds(systemClock, systemRandom);
  const streamId = await streamOf(connectionString, serverUuid);
  return {
    async publish(events) {
      const now = new Date();
      const bucket = bucketAt(now, RETENTION_DAYS.default);
      const tag = wallClock().toFixed(3);
      await writeInSystemScope(scope, now, (writing) =>
        append(
          writing,
          Array.from({ length: events }, () => ({
            id: ids.next(),
            accountId: accountUuid,
            serverId: serverUuid,
            streamId,
            messageId: ids.nextInBucket(bucket),
            recipient: 'ann.customer@mail.example',
            tag,
            metadata: null,
            type: 'DELIVERED',
            data: { remoteHost: 'mx.mail.example', response: '250 2.0.0 Ok: queued as 4F9A1B2C3D' },
          })),
        ),
      );
      channel.nudge('events');
    },
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function streamOf(connectionString: string, serverUuid: string): Promise<string> {
  await using client = await connect(connectionString);
  const { rows } = await client.query(`select id from message_streams where server_id = $1 order by id limit 1`, [
    serverUuid,
  ]);
  return String(rows[0]?.['id']);
}
