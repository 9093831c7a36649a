// What payloads of webhooks need besides the event itself.
import { sql } from 'kysely';
import type { SuppressionReason } from '#/domain/errors.ts';
import { bucketOfMessage } from '#/domain/retention.ts';
import { array } from './arrays.ts';
import type { BounceRow } from './bounces.ts';
import type { Database } from './client.ts';

export interface StreamKey {
  readonly accountId: string;
  readonly streamId: string;
}

export async function readSlugs(db: Database, keys: readonly StreamKey[]): Promise<ReadonlyMap<string, string>> {
  if (keys.length === 0) return new Map();
  const { rows } = await sql<{ id: string; slug: string }>`
    select s.id, s.slug
    from unnest(${array(
      'uuid',
      keys.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      keys.map(({ streamId }) => streamId),
    )})
      as k (account_id, id)
    join message_streams s on s.account_id = k.account_id and s.id = k.id`.execute(db);
  return new Map(rows.map(({ id, slug }) => [id, slug]));
}

export type BounceWithSuppression = Pick<
  BounceRow,
  'id' | 'type' | 'address' | 'occurredAt' | 'smtpCode' | 'enhancedCode' | 'details' | 'messageId'
> & {
  readonly suppressionReason: SuppressionReason | null;
};

export interface BounceKey {
  readonly accountId: string;
  readonly bounceId: string;
}

export async function readBounces(
  db: Database,
  keys: readonly BounceKey[],
): Promise<ReadonlyMap<string, BounceWithSuppression>> {
  if (keys.length === 0) return new Map();
  const { rows } = await sql<BounceWithSuppression>`
    select b.id, b.type, b.address, b.occurred_at, b.smtp_code, b.enhanced_code, b.details, b.message_id,
      s.reason as suppression_reason
    from unnest(${array(
      'uuid',
      keys.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      keys.map(({ bounceId }) => bounceId),
    )},
      ${array(
        'int',
        keys.map(({ bounceId }) => bucketOfMessage(bounceId)),
      )}) as k (account_id, id, bucket)
    join bounces b on b.account_id = k.account_id and b.id = k.id and b.bucket = k.bucket
    left join suppressions s on s.account_id = b.account_id and s.id = b.suppression_id`.execute(db);
  return new Map(rows.map((row) => [row.id, row]));
}
