// A PostgreSQL of our own, for whoever has none: made, started, repaired and stopped with the node process.
//
// In the data folder: `postgres/` the cluster, `postgres.password` its password, `socket/` where it listens,
// `veredus.pid` the process that owns all of it.
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { prepareAccount } from './embedded-postgres/account.ts';
import { findBinaries } from './embedded-postgres/binaries.ts';
import {
  clusterExists,
  clusterPassword,
  makeCluster,
  passwordFile,
  stopAbandonedServer,
} from './embedded-postgres/cluster.ts';
import { chooseEndpoint, type Endpoint, endpointOfRunning } from './embedded-postgres/endpoint.ts';
import { type FolderLock, lockFolder } from './embedded-postgres/folder-lock.ts';
import { isPostmasterOf } from './embedded-postgres/processes.ts';
import { type Exit, Server } from './embedded-postgres/server.ts';
import { availableMemory, serverSettings } from './embedded-postgres/settings.ts';
import type { Log } from './ports.ts';

export interface EmbeddedPostgresOptions {
  /** Made when missing; everything of the server is kept below it. */
  readonly dataDir: string;
  /** False only for tests: a crash may then lose everything. */
  readonly durable: boolean;
  readonly maxConnections?: number;
  readonly log: Log;
  /** Memory by which to size caches; by default that of the machine or container. */
  readonly memoryBytes?: number;
  /** PostgreSQL settings that go before ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly database?: string;
  /** The `native` folder of another copy of the platform package than the installed one. */
  readonly nativeDir?: string;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** For node-pg; holds the password. */
  readonly connectionString: string;
  /** Fulfilled when the server has ended, by stop() or by itself. */
  readonly exited: Promise<Exit>;
  stop(): Promise<void>;
}

/** Backends that have outlived a killed postmaster hold the cluster for some seconds. */
const LINGERING_MS = 10_000;
const WORTH_ANOTHER_TRY = /still in use|lock file|Address already in use|shared memory/;

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  // Where PostgreSQL must run as another user, that user has to pass through; all that lies inside has its own mode.
  await mkdir(options.dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const dataDir = await realpath(options.dataDir);
  const lock = await lockFolder(dataDir);
  try {
    return await startLocked(options, dataDir, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Connection string of the server that another process has started on this folder; null when none runs. */
export async function findEmbeddedPostgres(dataDir: string, database = 'veredus'): Promise<string | null> {
  const clusterDir = join(await realpath(dataDir).catch(() => dataDir), 'postgres');
  const lines = (await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  if (!(await isPostmasterOf(Number(lines[0]), clusterDir))) return null;
  const password = (await readFile(passwordFile(join(clusterDir, '..')), 'utf8')).trim();
  return endpointOfRunning(lines).connectionString(password, database);
}

async function startLocked(
  options: EmbeddedPostgresOptions,
  dataDir: string,
  lock: FolderLock,
): Promise<EmbeddedPostgres> {
  const clusterDir = join(dataDir, 'postgres');
  const binaries = await findBinaries(options.nativeDir);
  await stopAbandonedServer(clusterDir, options.log);
  const account = await prepareAccount(clusterDir, [binaries.postgres, binaries.initdb, ...binaries.witnesses]);
  const exists = await clusterExists(clusterDir);
  const password = await clusterPassword(dataDir, exists);
  if (!exists) await makeCluster({ binaries, account, clusterDir, password, durable: options.durable });

  const endpoint = await chooseEndpoint(dataDir);
  try {
    if (endpoint.socketDir !== null) await account.own(endpoint.socketDir);
    const start = () =>
      new Server({
        account,
        postgres: binaries.postgres,
        clusterDir,
        settings: settingsOf(options, endpoint),
        log: options.log,
      });
    const server = await startPatiently(start, endpoint.connectionString(password, 'postgres'));
    const database = options.database ?? 'veredus';
    try {
      await ensureDatabase(endpoint.connectionString(password, 'postgres'), database);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return handle(server, endpoint, lock, endpoint.connectionString(password, database));
  } catch (error) {
    await endpoint.close();
    throw error;
  }
}

function handle(server: Server, endpoint: Endpoint, lock: FolderLock, connectionString: string): EmbeddedPostgres {
  const stop = async () => {
    await server.stop();
    await endpoint.close();
    await lock.release();
  };
  return { connectionString, exited: server.exited, stop, [Symbol.asyncDispose]: stop };
}

function settingsOf(options: EmbeddedPostgresOptions, endpoint: Endpoint): Record<string, string> {
  const tuned = serverSettings({
    durable: options.durable,
    maxConnections: options.maxConnections ?? 100,
    memoryBytes: options.memoryBytes ?? availableMemory(),
  });
  return { ...tuned, ...options.settings, ...endpoint.settings };
}

async function startPatiently(start: () => Server, connectionString: string): Promise<Server> {
  for (let waited = 0; ; waited += 250) {
    const server = start();
    try {
      if (await server.ready(connectionString)) return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
    const output = server.output();
    if (waited >= LINGERING_MS || !WORTH_ANOTHER_TRY.test(output)) {
      throw new Error(`the embedded PostgreSQL did not start; it said:\n${output}`);
    }
    await sleep(250);
  }
}

async function ensureDatabase(connectionString: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
