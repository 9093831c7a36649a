// The pace at which sites are sent to, agreed between all workers: permits for connections, and the measures that lower
// limits.
import { type Selectable, sql } from 'kysely';
import { array } from './arrays.ts';
import type { SystemScope, SystemWriteScope } from './scope.ts';
import type { ShapingMeasuresTable } from './tables.gen.ts';

export type MeasureRow = Selectable<ShapingMeasuresTable>;

export interface PermitRequest {
  readonly site: string;
  /** Connections that would be of use. */
  readonly wanted: number;
  /** Connections that are open: not fewer are given, for they cannot be taken back. */
  readonly open: number;
  /** Of the site, for all workers together. */
  readonly limit: number;
}

/**
 * Lends connections: never more than the limit together, and to nobody more than an even share while others ask too.
 * Who asks again renews. Answers what each site's are.
 */
export async function lendPermits(
  scope: SystemWriteScope,
  options: { readonly source: string; readonly owner: string; readonly expiresAt: Date },
  requests: readonly PermitRequest[],
): Promise<Map<string, number>> {
  const { source, owner, expiresAt } = options;
  const column = <K extends keyof PermitRequest>(key: K) => requests.map((request) => request[key]);
  // Two that ask at once would both be given the last one.
  await sql`select pg_advisory_xact_lock(hashtext('veredus.shaping'))`.execute(scope.tx);
  const { rows } = await sql<{ site: string; permits: number }>`
    with asked as (
      select * from unnest(${array('text', column('site'))}, ${array('int', column('wanted'))}, ${array('int', column('open'))},
        ${array('int', column('limit'))}) as a (site, wanted, open, most)),
    given as (
      select a.site, greatest(a.open, least(a.wanted, a.most - others.taken, ceil(a.most::float / (1 + others.holders)))) as permits
      from asked a cross join lateral (
        select coalesce(sum(p.permits), 0)::int as taken, count(*)::int as holders from shaping_permits p
        where p.source = ${source} and p.site = a.site and p.owner <> ${owner}::uuid and p.expires_at > ${scope.now}) as others)
    insert into shaping_permits (source, site, owner, permits, expires_at)
    select ${source}, site, ${owner}::uuid, greatest(permits, 0)::int, ${expiresAt} from given
    on conflict (source, site, owner) do update set permits = excluded.permits, expires_at = excluded.expires_at
    returning site, permits`.execute(scope.tx);
  return new Map(rows.map(({ site, permits }) => [site, permits]));
}

/** Of sites that this worker has no more to do with; and those that died with their workers, of all. */
export async function returnPermits(
  scope: SystemWriteScope,
  owner: string,
  places: readonly { readonly source: string; readonly site: string }[],
): Promise<void> {
  const sources = places.map(({ source }) => source);
  const sites = places.map(({ site }) => site);
  await sql`
    delete from shaping_permits where expires_at < ${scope.now} or (owner = ${owner}::uuid and (source, site) in (
      select * from unnest(${array('text', sources)}, ${array('text', sites)})))`.execute(scope.tx);
}

/** Those that hold, oldest first. */
export function listOpenMeasures(db: SystemScope['db'], now: Date): Promise<MeasureRow[]> {
  return db
    .selectFrom('shapingMeasures')
    .selectAll()
    .where('endedAt', 'is', null)
    .where(({ eb, or }) => or([eb('until', 'is', null), eb('until', '>', now)]))
    .orderBy('startedAt')
    .execute();
}

/** Also those that are over; newest first. */
export function listMeasures(db: SystemScope['db'], site: string | null, limit: number): Promise<MeasureRow[]> {
  const query = db.selectFrom('shapingMeasures').selectAll().orderBy('id', 'desc').limit(limit);
  return (site === null ? query : query.where('site', '=', site)).execute();
}

/** False: another worker has just done the same. */
export async function addMeasure(scope: SystemWriteScope, measure: MeasureRow, within: Date): Promise<boolean> {
  await sql`select pg_advisory_xact_lock(hashtext('veredus.shaping'))`.execute(scope.tx);
  const same = await scope.tx
    .selectFrom('shapingMeasures')
    .select('id')
    .where('endedAt', 'is', null)
    .where('startedAt', '>', within)
    .where('site', '=', measure.site)
    .where('source', '=', measure.source)
    .where('rule', '=', measure.rule)
    .where(sql<boolean>`for_account_id is not distinct from ${measure.forAccountId}::uuid`)
    .executeTakeFirst();
  if (same !== undefined) return false;
  await insertMeasure(scope, measure);
  return true;
}

export async function insertMeasure(scope: SystemWriteScope, measure: MeasureRow): Promise<void> {
  await scope.tx.insertInto('shapingMeasures').values(measure).execute();
}

/** Ends all that hold for the site, or for what the account sends to it. Answers how many. */
export async function endMeasures(
  scope: SystemWriteScope,
  /** `source` null: whatever the source. */
  about: { readonly source: string | null; readonly site: string; readonly forAccountId: string | null },
): Promise<number> {
  const query = scope.tx
    .updateTable('shapingMeasures')
    .set({ endedAt: scope.now })
    .where('endedAt', 'is', null)
    .where('site', '=', about.site);
  const { numUpdatedRows } = await (about.source === null ? query : query.where('source', '=', about.source))
    .where(sql<boolean>`for_account_id is not distinct from ${about.forAccountId}::uuid`)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}
