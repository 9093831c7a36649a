// The cluster's files: made once by initdb, the password beside them, and the traces of a server that died uncleanly.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { environment } from '../environment.ts';
import type { Log } from '../ports.ts';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { isPostmasterOf, isTaken } from './processes.ts';

/** Major version of the binaries: a cluster is bound to it. */
const MAJOR = '18';
const PATIENCE = { fast: 10_000, immediate: 5_000 };

export function passwordFile(dataDir: string): string {
  return join(dataDir, 'postgres.password');
}

/** True for a made cluster, false for an empty folder. */
export async function clusterExists(clusterDir: string): Promise<boolean> {
  const version = await readFile(join(clusterDir, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version === null) return false;
  if (version.trim() !== MAJOR) {
    throw new Error(
      `${clusterDir} was made by PostgreSQL ${version.trim()}, this is ${MAJOR}: take a backup with the Veredus that ` +
        'made it and restore it into an empty data folder',
    );
  }
  return true;
}

/** Written and synced before initdb, so that no cluster exists whose password is not on the disk. */
export async function clusterPassword(dataDir: string, exists: boolean): Promise<string> {
  const path = passwordFile(dataDir);
  const found = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (found !== '') return found;
  if (exists)
    throw new Error(`${path} is missing: it holds the password of the database beside it; restore it from a backup`);
  const made = randomBytes(24).toString('base64url');
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  await file.writeFile(`${made}\n`);
  await file.sync();
  await file.close();
  return made;
}

export interface InitOptions {
  readonly binaries: Binaries;
  readonly account: Account;
  readonly clusterDir: string;
  readonly password: string;
  readonly durable: boolean;
}

/**
 * Made aside and moved into place, so that an interrupted initdb leaves no half cluster. Text sorts and folds by
 * PostgreSQL's own C.UTF-8: indexes then do not depend on the machine's C library.
 */
export async function makeCluster(options: InitOptions): Promise<void> {
  const { account, clusterDir } = options;
  const draft = `${clusterDir}.new`;
  const secret = `${clusterDir}.secret`;
  try {
    await rm(secret, { recursive: true, force: true });
    await mkdir(secret, { mode: 0o700 });
    await writeFile(join(secret, 'password'), options.password, { mode: 0o600 });
    await account.own(join(secret, 'password'));
    await account.own(secret);
    // The machine's own C.UTF-8 serves lc_ctype and lc_messages; old systems lack it, and C does as well.
    for (const locale of ['C.UTF-8', 'C']) {
      await rm(draft, { recursive: true, force: true });
      await mkdir(draft, { mode: 0o700 });
      await account.own(draft);
      const failure = await initdb(options, draft, join(secret, 'password'), locale);
      if (failure === null) break;
      if (locale === 'C' || !failure.includes('locale')) throw new Error(`initdb failed: ${failure}`);
    }
    // Replaces an empty folder and nothing else.
    await rename(draft, clusterDir).catch((cause: unknown) => {
      throw new Error(`${clusterDir} holds files but is no PostgreSQL cluster; move them away`, { cause });
    });
  } finally {
    await rm(secret, { recursive: true, force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

async function initdb(options: InitOptions, into: string, pwfile: string, locale: string): Promise<string | null> {
  const { file, args, ...identity } = options.account.command(options.binaries.initdb, [
    `--pgdata=${into}`,
    '--username=veredus',
    `--pwfile=${pwfile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    `--locale=${locale}`,
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(options.durable ? ['--data-checksums'] : ['--no-data-checksums', '--no-sync']),
  ]);
  const child = spawn(file, args, {
    cwd: '/',
    env: serverEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...identity,
  });
  const { promise, resolve } = Promise.withResolvers<string | number | null>();
  child.once('error', (error) => resolve(error.message));
  child.once('close', (code, signal) => resolve(code ?? signal));
  const [output, status] = await Promise.all([text(child.stderr), promise]);
  return status === 0 ? null : output.trim() || `ended with ${status}`;
}

/** Nothing of ours leaks in: PGDATA, PGPORT and the like would change what the server does. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: environment()['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC' };
}

/**
 * A node process that is killed leaves its server running, with nobody reading its log. It is stopped here; only ever
 * a process whose command line names this very folder. Called with the folder locked.
 */
export async function stopAbandonedServer(clusterDir: string, log: Log): Promise<void> {
  const pidFile = join(clusterDir, 'postmaster.pid');
  const content = await readFile(pidFile, 'utf8').catch(() => null);
  const pid = Number(content?.split('\n')[0]);
  if (content === null || !Number.isInteger(pid) || pid < 1) return;
  if (await isPostmasterOf(pid, clusterDir)) {
    log.info({ pid }, 'stopping the PostgreSQL that an earlier process left behind');
    if (await signalAndWait(pid, clusterDir, 'SIGINT', PATIENCE.fast)) return;
    if (await signalAndWait(pid, clusterDir, 'SIGQUIT', PATIENCE.immediate)) return;
    throw new Error(`the PostgreSQL that an earlier process left behind (process ${pid}) does not stop`);
  }
  if (!isTaken(pid)) return;
  // The number has gone to a stranger, and PostgreSQL would take the stranger for a running server. It knows that its
  // parent is none; the rest of the file stays, from which it finds backends that have outlived their postmaster.
  await writeFile(pidFile, content.replace(/^\d+/, String(process.pid)));
}

async function signalAndWait(
  pid: number,
  clusterDir: string,
  signal: NodeJS.Signals,
  patience: number,
): Promise<boolean> {
  process.kill(pid, signal);
  for (let waited = 0; waited < patience; waited += 20) {
    if (!(await isPostmasterOf(pid, clusterDir))) return true;
    await sleep(20);
  }
  return false;
}
