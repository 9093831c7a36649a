// Records what came back about a recipient: the bounce with its source, what it suppresses, and the events, in one
// transaction. The same news a second time changes nothing, whatever the mail looked like that brought it.
import { insertBounces } from '#/db/bounces.ts';
import { insertReturnedMail } from '#/db/returned-mails.ts';
import { markReturned, type ReturnedSubject } from '#/db/returned-subjects.ts';
import { type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { insertSuppressions, type NewSuppression } from '#/db/suppressions.ts';
import { bucketAt, bucketOfMessage } from '#/domain/retention.ts';
import { addressHash, keyOfAddress } from '#/domain/suppression.ts';
import { append } from '#/events/append.ts';
import { type NewEvent, tellBounce } from '#/events/catalogue.ts';
import { packSource, SOURCE_DAYS } from '../bounces/returned-source.ts';
import { repeating } from '../define.ts';
import type { Deps } from '../deps.ts';
import type { News } from './news.ts';

export interface NewsAbout {
  readonly subject: ReturnedSubject;
  readonly news: News;
  readonly source: Uint8Array;
}

/** False: it was known. */
export async function recordNews(deps: Deps, { subject, news, source }: NewsAbout): Promise<boolean> {
  const packed = packSource(source);
  const now = deps.clock.now();
  const isNew = await repeating(() =>
    writeInSystemScope(deps.system, now, (scope) => record(deps, scope, subject, news, packed)),
  );
  if (isNew) deps.channel.nudge('events');
  return isNew;
}

async function record(
  { ids }: Deps,
  scope: SystemWriteScope,
  subject: ReturnedSubject,
  news: News,
  packed: Buffer,
): Promise<boolean> {
  const { now } = scope;
  const { accountId, serverId, streamId, messageId, ordinal, address, tag, metadata } = subject;
  // A bounce may come on the last day of its message, and is kept as long as what is accepted today.
  const bucket = Math.max(bucketOfMessage(messageId), bucketAt(now, subject.retentionDays));
  const bounceId = ids.nextInBucket(bucket);
  const removableAt = new Date(now.getTime() + SOURCE_DAYS * 86_400_000);
  const mail = { accountId, messageId, ordinal, type: news.type, bounceId, removableAt, source: packed };
  if (!(await insertReturnedMail(scope, mail))) return false;
  const suppression = await suppress(scope, ids.next(), subject, news);
  const addressKey = keyOfAddress(address);
  const { type, smtpCode, enhancedCode, details } = news;
  await insertBounces(scope, [
    {
      ...{ bucket, accountId, id: bounceId, serverId, streamId, messageId, ordinal, type, address, addressKey, tag },
      ...{ occurredAt: now, smtpCode, enhancedCode, details, suppressionId: suppression?.id ?? null },
    },
  ]);
  const isKept = bucketOfMessage(messageId) >= bucketAt(now, 0);
  if (news.failed && isKept) await markReturned(scope, subject);
  const about = () => ({
    ...{ id: ids.next(), accountId, serverId, streamId, messageId, recipient: address, tag, metadata },
    ...(isKept ? {} : { bucket }),
  });
  const events: NewEvent[] = [{ ...about(), ...tellBounce(bounceId, type, news.failed) }];
  if (suppression !== null) {
    const { reason, origin } = suppression;
    events.push({ ...about(), type: 'SUBSCRIPTION_CHANGED', data: { suppressed: true, reason, origin } });
  }
  await append(scope, events);
  return true;
}

/** Null where nothing changes. */
async function suppress(
  scope: SystemWriteScope,
  id: string,
  { accountId, streamId, address }: ReturnedSubject,
  { suppresses }: News,
): Promise<NewSuppression | null> {
  if (suppresses === null) return null;
  const hash = addressHash(keyOfAddress(address));
  const row: NewSuppression = { accountId, streamId, hash, id, address, reason: suppresses, origin: 'RECIPIENT' };
  return (await insertSuppressions(scope, [row])).has(id) ? row : null;
}
