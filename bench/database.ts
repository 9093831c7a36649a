// PostgreSQL for the benchmark: an embedded one of its own where a scenario needs more of it than `serve` starts, and
// plain connections to whichever there is.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { migrateToLatest } from '#/db/migrate.ts';
import { startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { createLog } from '#/runtime/log.ts';
import { atEnd } from './at-end.ts';
import { until } from './programs.ts';
import type { Context } from './scenario.ts';

export interface OwnDatabase extends AsyncDisposable {
  readonly connectionString: string;
  /** A migrated database of its own beside the first. */
  create(name: string): Promise<string>;
}

/** Tuned and as durable as the one that `serve` starts. */
export async function startDatabase(
  context: Context,
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnDatabase> {
  const folder = await mkdtemp(join(context.folder, 'postgres-'));
  const server = await startEmbeddedPostgres({
    dataDir: folder,
    durable: true,
    maxConnections: 150,
    log: createLog({ level: 'warn' }),
    settings,
  });
  const end = atEnd(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  await using client = await connect(server.connectionString);
  context.note('postgresql', await describeDatabase(client));
  return {
    connectionString: server.connectionString,
    async create(name) {
      await using admin = await connect(server.connectionString);
      await admin.query(`create database ${pg.escapeIdentifier(name)}`);
      const connectionString = server.connectionString.replace(/\/[^/?]+(\?|$)/, `/${name}$1`);
      await migrateToLatest(connectionString, new Date());
      return connectionString;
    },
    [Symbol.asyncDispose]: end,
  };
}

export interface Connection extends AsyncDisposable {
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult<Record<string, unknown>>>;
}

export async function connect(connectionString: string): Promise<Connection> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  return {
    query: (text, values = []) => client.query(text, [...values]),
    [Symbol.asyncDispose]: () => client.end(),
  };
}

export async function numberFrom(client: Connection, text: string, values: readonly unknown[] = []): Promise<number> {
  const { rows } = await client.query(text, values);
  return Number(Object.values(rows[0] ?? {})[0]);
}

const TOLD_SETTINGS = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'effective_cache_size',
  'max_wal_size',
  'checkpoint_timeout',
  'max_connections',
  'wal_compression',
  'track_commit_timestamp',
] as const;

export async function describeDatabase(client: Connection): Promise<Readonly<Record<string, string>>> {
  const { rows } = await client.query(
    `select name, current_setting(name) as setting from pg_settings where name = any($1) order by name`,
    [TOLD_SETTINGS],
  );
  const version = await client.query('show server_version');
  const settings = rows.map(({ name, setting }): [string, string] => [String(name), String(setting)]);
  return Object.fromEntries([['version', String(version.rows[0]?.['server_version'])], ...settings]);
}

/** Lets the work of a run come to its end before the next begins: running vacuums, then a checkpoint. */
export async function settle(connectionString: string): Promise<void> {
  await using client = await connect(connectionString);
  const vacuums = 'select count(*) from pg_stat_progress_vacuum';
  await until(async () => (await numberFrom(client, vacuums)) === 0, {
    everyMs: 200,
    timeoutMs: 120_000,
    describe: () => 'vacuum does not come to an end',
  });
  await client.query('checkpoint');
}
