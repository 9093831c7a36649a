// How a server takes inbound mail: webhook, threshold, domain, rules.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import { type ReadScope, type SystemScope, type SystemWriteScope, withinServers, type WriteScope } from './scope.ts';
import type { InboundRulesTable, InboundSettingsTable } from './tables.gen.ts';

export interface InboundSettingsRow {
  readonly accountId: string;
  readonly serverId: string;
  readonly url: string | null;
  readonly spamThreshold: number | null;
  readonly domain: string | null;
}

export type InboundRuleRow = Selectable<InboundRulesTable>;

/** Of servers that the scope has found; also of those without a row. */
export async function findInboundSettings(
  scope: ReadScope,
  serverIds: readonly string[],
): Promise<InboundSettingsRow[]> {
  const wanted = sql<{ serverId: string }>`(select * from unnest(${array('uuid', serverIds)}) as w (server_id))`.as(
    'w',
  );
  const rows = await scope.db
    .selectFrom(wanted)
    .leftJoin('inboundSettings as s', (join) =>
      join.on('s.accountId', '=', scope.accountId).onRef('s.serverId', '=', 'w.serverId'),
    )
    .leftJoin('inboundDomains as d', (join) =>
      join.on('d.accountId', '=', scope.accountId).onRef('d.serverId', '=', 'w.serverId'),
    )
    .select(['w.serverId', 's.url', 's.spamThreshold', 'd.name as domain'])
    .execute();
  return rows.map((row) => ({ accountId: scope.accountId, ...row }));
}

export type SealedInbound = Pick<
  Selectable<InboundSettingsTable>,
  'accountId' | 'serverId' | 'secretEncrypted' | 'previousSecretEncrypted'
>;

export function listSealedInbound({ db }: SystemScope, after: string | null, limit: number): Promise<SealedInbound[]> {
  let query = db
    .selectFrom('inboundSettings')
    .select(['accountId', 'serverId', 'secretEncrypted', 'previousSecretEncrypted'])
    .orderBy('serverId')
    .limit(limit);
  if (after !== null) query = query.where('serverId', '>', after);
  return query.execute();
}

/** Unless it was changed since it was read. */
export async function resealInbound(
  { db }: SystemScope,
  { accountId, serverId }: SealedInbound,
  column: 'secretEncrypted' | 'previousSecretEncrypted',
  old: Buffer,
  sealed: Buffer,
): Promise<void> {
  await db
    .updateTable('inboundSettings')
    .set({ [column]: sealed })
    .where('accountId', '=', accountId)
    .where('serverId', '=', serverId)
    .where(column, '=', old)
    .execute();
}

/** For mail of many accounts. */
export async function listInboundSettings(
  scope: SystemWriteScope,
  keys: readonly { readonly accountId: string; readonly serverId: string }[],
): Promise<Map<string, { readonly url: string | null; readonly spamThreshold: number | null }>> {
  const rows = await scope.tx
    .selectFrom('inboundSettings')
    .select(['serverId', 'url', 'spamThreshold'])
    .where(
      'accountId',
      '=',
      sql<string>`any(${array(
        'uuid',
        keys.map(({ accountId }) => accountId),
      )})`,
    )
    .where(
      'serverId',
      '=',
      sql<string>`any(${array(
        'uuid',
        keys.map(({ serverId }) => serverId),
      )})`,
    )
    .execute();
  return new Map(rows.map(({ serverId, url, spamThreshold }) => [serverId, { url, spamThreshold }]));
}

export async function upsertInboundSettings(
  scope: WriteScope,
  serverId: string,
  changes: { readonly url?: string | null; readonly spamThreshold?: number | null },
): Promise<void> {
  // Whoever holds the endpoint reads it again with each call; what waits for the old address is looked at.
  const due = changes.url === undefined ? {} : { dueAt: scope.now, failures: 0 };
  await scope.tx
    .insertInto('inboundSettings')
    .values({ accountId: scope.accountId, serverId, ...changes, ...due })
    .onConflict((conflict) => conflict.columns(['accountId', 'serverId']).doUpdateSet({ serverId, ...changes, ...due }))
    .execute();
}

/** The first secret of an endpoint: one that has none gets it. */
export async function giveInboundSecret(scope: WriteScope, serverId: string, sealed: Buffer): Promise<void> {
  await scope.tx
    .updateTable('inboundSettings')
    .set({ secretEncrypted: sealed })
    .where('accountId', '=', scope.accountId)
    .where('serverId', '=', serverId)
    .where('secretEncrypted', 'is', null)
    .execute();
}

/** `previousUntil` null: the one before ends at once. */
export async function replaceInboundSecret(
  scope: WriteScope,
  serverId: string,
  sealed: Buffer,
  previousUntil: Date | null,
): Promise<void> {
  const { accountId, tx } = scope;
  await sql`
    insert into inbound_settings as s (account_id, server_id, secret_encrypted)
    values (${accountId}::uuid, ${serverId}::uuid, ${sealed})
    on conflict (account_id, server_id) do update set secret_encrypted = excluded.secret_encrypted,
      previous_secret_encrypted = case when ${previousUntil}::timestamptz is null then null else s.secret_encrypted end,
      previous_secret_until = ${previousUntil}::timestamptz`.execute(tx);
}

/**
 * False: somebody else has it. An account that has verified the domain, or one above it (`names`), takes it from whoever
 * has not; nobody takes it from, or beside, an account that has.
 */
export async function claimInboundDomain(
  scope: WriteScope,
  serverId: string,
  name: string,
  names: readonly string[],
): Promise<boolean> {
  const { accountId, tx, now } = scope;
  const verified = await tx
    .selectFrom('verifiedDomains')
    .select('accountId')
    .where('name', '=', sql<string>`any(${array('text', names)})`)
    .execute();
  if (verified.some((holder) => holder.accountId !== accountId)) return false;
  await releaseInboundDomain(scope, serverId);
  const { rows } = await sql<{ name: string }>`
    insert into inbound_domains as i (name, account_id, server_id, created_at)
    values (${name}, ${accountId}::uuid, ${serverId}::uuid, ${now})
    on conflict (name) do update set account_id = excluded.account_id, server_id = excluded.server_id,
      created_at = excluded.created_at
    where i.account_id <> excluded.account_id and ${verified.length > 0}::boolean
    returning name`.execute(tx);
  return rows.length > 0;
}

export async function releaseInboundDomain(scope: WriteScope, serverId: string): Promise<void> {
  await scope.tx
    .deleteFrom('inboundDomains')
    .where('accountId', '=', scope.accountId)
    .where('serverId', '=', serverId)
    .execute();
}

function rules(scope: ReadScope) {
  const query = scope.db.selectFrom('inboundRules').selectAll().where('accountId', '=', scope.accountId);
  const within = withinServers(scope, 'server_id');
  return within === null ? query : query.where(within);
}

/** Oldest first. */
export function listInboundRules(scope: ReadScope, serverIds: readonly string[]): Promise<InboundRuleRow[]> {
  return rules(scope)
    .where('serverId', '=', sql<string>`any(${array('uuid', serverIds)})`)
    .orderBy('id')
    .execute();
}

export function findInboundRules(scope: ReadScope, ids: readonly string[]): Promise<InboundRuleRow[]> {
  return rules(scope)
    .where('id', '=', sql<string>`any(${array('uuid', ids)})`)
    .execute();
}

/** False when the server has it. */
export async function insertInboundRule(scope: WriteScope, rule: InboundRuleRow): Promise<boolean> {
  const inserted = await scope.tx
    .insertInto('inboundRules')
    .values(rule)
    .onConflict((conflict) => conflict.columns(['accountId', 'serverId', 'pattern']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

export async function deleteInboundRule(scope: WriteScope, id: string): Promise<void> {
  await scope.tx.deleteFrom('inboundRules').where('accountId', '=', scope.accountId).where('id', '=', id).execute();
}

/** Which of these patterns a rule of the server names, by place in the list; one for each place at most. */
export async function matchInboundRules(
  scope: SystemWriteScope,
  wanted: readonly { readonly accountId: string; readonly serverId: string; readonly patterns: readonly string[] }[],
): Promise<Map<number, string>> {
  const flat = wanted.flatMap(({ accountId, serverId, patterns }, place) =>
    patterns.map((pattern) => ({ accountId, serverId, pattern, place })),
  );
  const { rows } = await sql<{ place: number; pattern: string }>`
    select w.place, r.pattern
    from unnest(${array(
      'uuid',
      flat.map(({ accountId }) => accountId),
    )}, ${array(
      'uuid',
      flat.map(({ serverId }) => serverId),
    )},
      ${array(
        'text',
        flat.map(({ pattern }) => pattern),
      )}, ${array(
        'int',
        flat.map(({ place }) => place),
      )})
      as w (account_id, server_id, pattern, place)
    join inbound_rules r on r.account_id = w.account_id and r.server_id = w.server_id and r.pattern = w.pattern`.execute(
    scope.tx,
  );
  return new Map(rows.map(({ place, pattern }) => [place, pattern]));
}
