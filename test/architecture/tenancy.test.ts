// The account is the tenant. What the database itself guarantees of that, read from its catalogue: rows can be placed by
// account, and no row can point at one of another account.
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { bucketedTables } from '#/db/partitions.ts';
import { type Catalogue, type Constraint, readCatalogue, type Table } from '../../tools/catalogue.ts';
import { createDatabase } from '../support/postgres.ts';

/** Tables that stand above or outside accounts. */
const globalTables: readonly string[] = [
  'accounts',
  'counter_cursors',
  'delivery_tallies',
  'guess_counters',
  'installation',
  'mta_sts_policies',
  'one_time_links',
  'shaping_measures',
  'shaping_permits',
  'tls_reports_due',
  'tls_session_counts',
  'transport_health',
  'transport_presence',
  'transport_relays',
  'transport_sources',
  'transports',
  'users',
  'webhook_workers',
];

/** Tables of one person, who may be a member of many accounts. */
const personalTables: readonly string[] = [
  'backup_codes',
  'known_devices',
  'second_factor_challenges',
  'sessions',
  'two_factor_methods',
];

/** Unique keys of tenant tables that do not begin with the account. */
const keysWithoutAccount: readonly { readonly key: string; readonly reason: string }[] = [
  { key: 'api_tokens (secret_hash)', reason: 'a token is looked up before its account is known' },
  { key: 'verified_domains (name)', reason: 'at most one account of all holds a domain as verified' },
  { key: 'inbound_domains (name)', reason: 'mail to a domain goes to one server of all' },
  { key: 'invitations (secret_hash)', reason: 'a mailed link is looked up before its account is known' },
  { key: 'emergency_contacts (confirmation_hash)', reason: 'a mailed link is looked up before its account is known' },
  { key: 'sender_signatures (confirmation_hash)', reason: 'a mailed link is looked up before its account is known' },
];

const { tables } = await catalogueOfTestDatabase();
const tenantTables = tables.filter((table) => table.columns.some(({ name }) => name === 'account_id'));

describe('tenancy', () => {
  test('each table belongs to an account or stands on the global list', () => {
    const others = tables.filter((table) => !tenantTables.includes(table));
    expect(others.map(({ name }) => name)).toEqual([...globalTables, ...personalTables].sort());
  });

  test('the account of a row is never null', () => {
    const nullable = tenantTables.filter(({ columns }) =>
      columns.some(({ name, notNull }) => name === 'account_id' && !notNull),
    );
    expect(nullable.map(({ name }) => name)).toEqual([]);
  });

  test('each tenant table has a primary key', () => {
    const without = tenantTables.filter(({ constraints }) => !constraints.some(({ kind }) => kind === 'primary key'));
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  test('each unique key of a tenant table begins with the account, but for the listed ones', () => {
    const without = tenantTables.flatMap((table) =>
      uniqueKeys(table)
        .filter(([first]) => first !== 'account_id')
        .map((columns) => `${table.name} (${columns.join(', ')})`),
    );
    expect(without.sort()).toEqual(keysWithoutAccount.map(({ key }) => key).sort());
  });

  test('each foreign key between tenant tables includes the account', () => {
    const names = new Set(tenantTables.map(({ name }) => name));
    const crossing = tenantTables.flatMap(({ name, constraints }) =>
      constraints
        .filter(({ kind, references }) => kind === 'foreign key' && references !== null && names.has(references))
        .filter((constraint) => !bindsAccount(constraint))
        .map(({ definition }) => `${name}: ${definition}`),
    );
    expect(crossing).toEqual([]);
  });

  test('the partitioned tables are those that retention makes and drops partitions of', () => {
    const partitioned = tables.filter(({ partitionKey }) => partitionKey !== null);
    expect(partitioned.map(({ name }) => name).sort()).toEqual([...bucketedTables].sort());
    expect(new Set(partitioned.map(({ partitionKey }) => partitionKey))).toEqual(new Set(['LIST (bucket)']));
  });
});

/** Columns of the primary key, the unique constraints and the unique indexes. */
function uniqueKeys({ constraints, indexes }: Table): readonly (readonly string[])[] {
  return [
    ...constraints.filter(({ kind }) => kind === 'primary key' || kind === 'unique'),
    ...indexes.filter(({ unique }) => unique),
  ].map(({ columns }) => columns);
}

function bindsAccount({ columns, referencedColumns }: Constraint): boolean {
  const place = columns.indexOf('account_id');
  return place >= 0 && referencedColumns[place] === 'account_id';
}

async function catalogueOfTestDatabase(): Promise<Catalogue> {
  await using database = await createDatabase();
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  try {
    return await readCatalogue(client);
  } finally {
    await client.end();
  }
}
