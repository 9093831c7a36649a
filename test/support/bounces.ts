// Bounces as they lie in the database, for tests that need some and not the way there.
import { type BounceRow, insertBounces } from '#/db/bounces.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { bucketAt } from '#/domain/retention.ts';
import type { TestAccount, World } from './world.ts';

/** On the stream `outbound` unless another is named. */
export async function insertBounce(w: World, account: TestAccount, changes: Partial<BounceRow>): Promise<BounceRow> {
  const { clock, ids } = w.deps;
  const bucket = bucketAt(clock.now(), 45);
  const stream = await w.db
    .selectFrom('messageStreams')
    .select('id')
    .where('serverId', '=', account.serverId)
    .where('slug', '=', 'outbound')
    .executeTakeFirstOrThrow();
  const row: BounceRow = {
    bucket,
    accountId: account.accountId,
    id: ids.nextInBucket(bucket),
    serverId: account.serverId,
    streamId: stream.id,
    messageId: ids.nextInBucket(bucket),
    ordinal: 0,
    type: 'HARD_BOUNCE',
    address: 'ann@receiver.example',
    addressKey: 'ann@receiver.example',
    tag: null,
    occurredAt: clock.now(),
    smtpCode: 550,
    enhancedCode: '5.1.1',
    details: '550 5.1.1 No such user',
    suppressionId: null,
    ...changes,
  };
  await writeInSystemScope(w.system, clock.now(), (scope) => insertBounces(scope, [row]));
  return row;
}
