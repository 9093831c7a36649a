// What streams want done with mail of which nobody knows whether it arrived.
import { sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemWriteScope } from './scope.ts';
import type { InDoubtPolicy } from './tables.gen.ts';

/** By stream id. Asked when a doubt arises, which is seldom, and so always as it is set now. */
export async function listInDoubtPolicies(
  scope: SystemWriteScope,
  streams: readonly { readonly accountId: string; readonly streamId: string }[],
): Promise<Map<string, InDoubtPolicy>> {
  const unique = [...new Map(streams.map((stream) => [stream.streamId, stream])).values()];
  const { rows } = await sql<{ id: string; inDoubtPolicy: InDoubtPolicy }>`
    select s.id, s.in_doubt_policy
    from unnest(${array(
      'uuid',
      unique.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      unique.map(({ streamId }) => streamId),
    )})
      as k (account_id, id)
    join message_streams s on s.account_id = k.account_id and s.id = k.id`.execute(scope.tx);
  return new Map(rows.map(({ id, inDoubtPolicy }) => [id, inDoubtPolicy]));
}
