// Whose an address is to which mail comes: looked up before any account is known.
import { sql } from 'kysely';
import { defaultReturnPath } from '#/domain/sender-identity/identity-name.ts';
import { array } from './arrays.ts';
import type { SystemScope } from './scope.ts';

export interface ReturnPathDomain {
  readonly accountId: string;
  readonly domainId: string;
  readonly name: string;
}

/** The verified domain whose return path is `host`. */
export async function findDomainOfReturnPath(scope: SystemScope, host: string): Promise<ReturnPathDomain | null> {
  const rows = await scope.db
    .selectFrom('verifiedDomains as v')
    .innerJoin('domains as d', (join) => join.onRef('d.accountId', '=', 'v.accountId').onRef('d.id', '=', 'v.domainId'))
    .select(['d.accountId', 'd.id as domainId', 'd.name', 'd.returnPath'])
    .where('v.name', '=', sql<string>`any(${array('text', parentsOf(host))})`)
    .execute();
  const found = rows.find(({ name, returnPath }) => (returnPath ?? defaultReturnPath(name)) === host);
  return found === undefined ? null : { accountId: found.accountId, domainId: found.domainId, name: found.name };
}

export interface InboundServer {
  readonly accountId: string;
  readonly serverId: string;
  /** Its inbound stream. */
  readonly streamId: string;
  /** Of the account. */
  readonly retentionDays: number;
}

export async function findInboundServer(scope: SystemScope, serverId: string): Promise<InboundServer | null> {
  const row = await scope.db
    .selectFrom('servers as s')
    .innerJoin('messageStreams as m', (join) =>
      join.onRef('m.accountId', '=', 's.accountId').onRef('m.serverId', '=', 's.id'),
    )
    .innerJoin('accounts as a', 'a.id', 's.accountId')
    .select(['s.accountId', 's.id as serverId', 'm.id as streamId', 'a.retentionDays'])
    .where('s.id', '=', serverId)
    .where('s.deletedAt', 'is', null)
    .where('m.kind', '=', 'INBOUND')
    .orderBy('m.id')
    .executeTakeFirst();
  return row ?? null;
}

/**
 * The server that has chosen `domain`, or the nearest domain above it with a wildcard. A choice does not count where
 * another account has verified the domain, or one above it.
 */
export async function findServerOfInboundDomain(scope: SystemScope, domain: string): Promise<InboundServer | null> {
  const parents = parentsOf(domain);
  const names = [domain, ...parents.map((parent) => `*.${parent}`)];
  const { rows } = await sql<{ serverId: string }>`
    select i.server_id as "serverId"
    from unnest(${array('text', names)}) with ordinality as wanted (name, place)
    join inbound_domains i on i.name = wanted.name
    where not exists (
      select from verified_domains v
      where v.name = any(${array('text', [domain, ...parents])}) and v.account_id <> i.account_id)
    order by wanted.place limit 1`.execute(scope.db);
  const [found] = rows;
  return found === undefined ? null : findInboundServer(scope, found.serverId);
}

/** `b.c` and `c` of `a.b.c`, the nearest first; bounded like a name. */
export function parentsOf(name: string): string[] {
  const labels = name.split('.', 128);
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'));
}
