// The ledger of attempts, and the final states of recipients that follow from it.
import { sql } from 'kysely';
import { bucketOfMessage } from '#/domain/retention.ts';
import { insertAll, type InsertSpec } from './insert-all.ts';
import type { SystemWriteScope } from './scope.ts';
import type { AttemptOutcome, DeliveryStatus, TlsVerification } from './tables.gen.ts';
import { array } from './arrays.ts';

export interface NewAttempt {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly id: string;
  readonly serverId: string;
}

const startSpec: InsertSpec<NewAttempt & { bucket: number; startedAt: Date }> = {
  table: 'delivery_attempts',
  columns: {
    bucket: 'int',
    accountId: 'uuid',
    messageId: 'uuid',
    ordinal: 'smallint',
    id: 'uuid',
    serverId: 'uuid',
    startedAt: 'timestamptz',
  },
};

/** Before the dial. */
export function insertAttempts(scope: SystemWriteScope, attempts: readonly NewAttempt[]): Promise<void> {
  const rows = attempts.map(({ accountId, messageId, ordinal, id, serverId }) => ({
    bucket: bucketOfMessage(messageId),
    accountId,
    messageId,
    ordinal,
    id,
    serverId,
    startedAt: scope.now,
  }));
  return insertAll(scope.tx, startSpec, rows);
}

export interface AttemptResult {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly id: string;
  readonly outcome: AttemptOutcome;
  readonly contentSentAt: Date | null;
  readonly endedAt: Date;
  readonly transport: string | null;
  readonly remoteHost: string | null;
  readonly remoteAddress: string | null;
  readonly tls: string | null;
  readonly tlsVerification: TlsVerification | null;
  readonly tlsPolicy: string | null;
  readonly smtpCode: number | null;
  readonly enhancedCode: string | null;
  readonly response: string | null;
  /** Null where it is not kept. */
  readonly transcript: readonly string[] | null;
}

/** What became of attempts: one statement for many. Arrays of arrays must be even in PostgreSQL, so transcripts travel as JSON. */
export async function recordAttempts(scope: SystemWriteScope, results: readonly AttemptResult[]): Promise<void> {
  if (results.length === 0) return;
  const column = <K extends keyof AttemptResult>(key: K) => results.map((result) => result[key]);
  const transcripts = results.map(({ transcript }) => (transcript === null ? null : JSON.stringify(transcript)));
  await sql`
    update delivery_attempts a set
      outcome = r.outcome, content_sent_at = r.content_sent_at, ended_at = r.ended_at, transport = r.transport,
      remote_host = r.remote_host, remote_address = r.remote_address, tls = r.tls,
      tls_verification = r.tls_verification, tls_policy = r.tls_policy, smtp_code = r.smtp_code,
      enhanced_code = r.enhanced_code, response = r.response,
      transcript = case when r.transcript is not null then array (select jsonb_array_elements_text(r.transcript)) end
    from unnest(${array('uuid', column('accountId'))}, ${array('uuid', column('messageId'))}, ${array('smallint', column('ordinal'))},
      ${array('uuid', column('id'))}, ${array(
        'int',
        results.map(({ messageId }) => bucketOfMessage(messageId)),
      )},
      ${array('text', column('outcome'))}::attempt_outcome[], ${array('timestamptz', column('contentSentAt'))}, ${array('timestamptz', column('endedAt'))},
      ${array('text', column('transport'))}, ${array('text', column('remoteHost'))}, ${array('text', column('remoteAddress'))},
      ${array('text', column('tls'))}, ${array('text', column('tlsVerification'))}::tls_verification[], ${array('text', column('tlsPolicy'))},
      ${array('smallint', column('smtpCode'))}, ${array('text', column('enhancedCode'))},
      ${array('text', column('response'))}, ${array('jsonb', transcripts)})
      as r (account_id, message_id, ordinal, id, bucket, outcome, content_sent_at, ended_at, transport, remote_host,
            remote_address, tls, tls_verification, tls_policy, smtp_code, enhanced_code, response, transcript)
    where a.account_id = r.account_id and a.message_id = r.message_id and a.ordinal = r.ordinal and a.id = r.id
      and a.bucket = r.bucket`.execute(scope.tx);
}

/** A dead worker's attempt: LOST before its content was sent, IN_DOUBT after. */
export async function closeLostAttempts(
  scope: SystemWriteScope,
  attempts: readonly Pick<AttemptResult, 'accountId' | 'messageId' | 'ordinal' | 'id' | 'outcome'>[],
): Promise<void> {
  if (attempts.length === 0) return;
  await sql`
    update delivery_attempts a set outcome = r.outcome, ended_at = ${scope.now}
    from unnest(${array(
      'uuid',
      attempts.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      attempts.map(({ messageId }) => messageId),
    )},
      ${array(
        'smallint',
        attempts.map(({ ordinal }) => ordinal),
      )}, ${array(
        'uuid',
        attempts.map(({ id }) => id),
      )},
      ${array(
        'int',
        attempts.map(({ messageId }) => bucketOfMessage(messageId)),
      )},
      ${array(
        'text',
        attempts.map(({ outcome }) => outcome),
      )}::attempt_outcome[])
      as r (account_id, message_id, ordinal, id, bucket, outcome)
    where a.account_id = r.account_id and a.message_id = r.message_id and a.ordinal = r.ordinal and a.id = r.id
      and a.bucket = r.bucket and a.outcome is null`.execute(scope.tx);
}

export interface StatusChange {
  readonly accountId: string;
  readonly messageId: string;
  readonly ordinal: number;
  readonly status: DeliveryStatus;
}

/** A final state is never left: rows that are settled stay as they are. */
export async function updateStatuses(scope: SystemWriteScope, changes: readonly StatusChange[]): Promise<void> {
  if (changes.length === 0) return;
  await sql`
    update recipients r set status = c.status, settled_at = case when c.status <> 'DELAYED' then ${scope.now}::timestamptz end
    from unnest(${array(
      'uuid',
      changes.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      changes.map(({ messageId }) => messageId),
    )},
      ${array(
        'smallint',
        changes.map(({ ordinal }) => ordinal),
      )}, ${array(
        'int',
        changes.map(({ messageId }) => bucketOfMessage(messageId)),
      )},
      ${array(
        'text',
        changes.map(({ status }) => status),
      )}::delivery_status[]) as c (account_id, message_id, ordinal, bucket, status)
    where r.account_id = c.account_id and r.message_id = c.message_id and r.ordinal = c.ordinal and r.bucket = c.bucket
      and r.settled_at is null`.execute(scope.tx);
}
