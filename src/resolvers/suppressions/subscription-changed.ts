// Events of suppressions that change by themselves and not with a message: kept as long as what is accepted today.
import { findAccount } from '#/db/accounts.ts';
import type { WriteScope } from '#/db/scope.ts';
import type { StreamRow } from '#/db/servers.ts';
import { bucketAt } from '#/domain/retention.ts';
import { append } from '#/events/append.ts';
import { type EventData, NO_MESSAGE } from '#/events/catalogue.ts';
import type { Inside } from '../define.ts';

type Change = EventData['SUBSCRIPTION_CHANGED'] & { readonly address: string };

export async function appendChanges(
  scope: WriteScope,
  inside: Inside,
  stream: Pick<StreamRow, 'id' | 'serverId'>,
  changes: readonly Change[],
): Promise<void> {
  if (changes.length === 0) return;
  const bucket = await currentBucket(scope);
  await append(
    scope,
    changes.map(({ address, ...data }) => ({
      id: inside.ids.next(),
      accountId: scope.accountId,
      serverId: stream.serverId,
      streamId: stream.id,
      messageId: NO_MESSAGE,
      recipient: address,
      tag: null,
      metadata: null,
      type: 'SUBSCRIPTION_CHANGED',
      data,
      bucket,
    })),
  );
}

/** Of what the account accepts now. */
export async function currentBucket(scope: WriteScope): Promise<number> {
  const account = await findAccount(scope);
  if (account === undefined) throw new Error('the account of a scope is gone');
  return bucketAt(scope.now, account.retentionDays);
}
