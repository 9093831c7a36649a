// What streams ask of TLS.
import { sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemScope } from './scope.ts';
import type { TlsPolicy } from './tables.gen.ts';

/** By stream id. */
export async function listTlsPolicies(
  { db }: SystemScope,
  streams: readonly { readonly accountId: string; readonly streamId: string }[],
): Promise<Map<string, TlsPolicy>> {
  const { rows } = await sql<{ id: string; tlsPolicy: TlsPolicy }>`
    select s.id, s.tls_policy
    from unnest(${array(
      'uuid',
      streams.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      streams.map(({ streamId }) => streamId),
    )})
      as k (account_id, id)
    join message_streams s on s.account_id = k.account_id and s.id = k.id`.execute(db);
  return new Map(rows.map(({ id, tlsPolicy }) => [id, tlsPolicy]));
}
