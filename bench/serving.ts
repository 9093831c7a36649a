// The real program as a user runs it: `bin/veredus serve` in a fresh data folder, with a live server made beside it by
// `bin/veredus bootstrap`.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { decodeIdOf } from '#/domain/ids.ts';
import { findEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { atEnd } from './at-end.ts';
import { cpuSeconds, parentOf, residentBytes } from './cpu.ts';
import { connect, describeDatabase, numberFrom } from './database.ts';
import { DOMAIN } from './letters.ts';
import { endChild, runProgram } from './programs.ts';
import type { Context } from './scenario.ts';

export const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'bin/veredus');
/** Above the program's own deadlines. */
const STOP_MS = 45_000;
const START_MS = 60_000;

export interface Serving extends AsyncDisposable {
  /** Of the supervisor. */
  readonly pid: number;
  readonly port: number;
  readonly token: string;
  /** Public id. */
  readonly serverId: string;
  readonly serverUuid: string;
  readonly accountUuid: string;
  readonly connectionString: string;
  /** Processor time so far. */
  cpu(): CpuTime;
  /** Resident bytes of the program's processes, without PostgreSQL's. */
  memory(): number;
  /** One more account with a server of its own. */
  another(name: string, domain: string): Promise<Pick<Serving, 'token' | 'serverId' | 'serverUuid' | 'accountUuid'>>;
}

/** Seconds. */
export interface CpuTime {
  readonly program: number;
  readonly postgres: number;
}

export interface ServingOptions {
  /** Settings beside those of the benchmark. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A database of the benchmark's; without it the program starts its own. */
  readonly connectionString?: string;
  /** Works for the server of another program on the same database; without it a server is made. */
  readonly beside?: Serving;
}

export const SECRET_KEY = 'a key that protects nothing but benchmarks';

/** Limits of use are checked but never reached: a benchmark calls as no customer does. */
const SETTINGS = {
  VEREDUS_HTTP_HOST: '127.0.0.1',
  VEREDUS_HTTP_PORT: '0',
  VEREDUS_LOG_LEVEL: 'warn',
  VEREDUS_RATE_LIMIT: '1000000000',
  VEREDUS_SUBMISSION_PORT: '0',
  VEREDUS_SUBMISSIONS_PORT: '0',
  VEREDUS_INBOUND_PORT: '0',
  VEREDUS_SECRET_KEY: SECRET_KEY,
};

export async function startServing(context: Context, options: ServingOptions = {}): Promise<Serving> {
  const dataDir = await mkdtemp(join(context.folder, 'serving-'));
  const env = programEnvironment({
    ...SETTINGS,
    VEREDUS_DATA_DIR: dataDir,
    ...(options.connectionString === undefined ? {} : { VEREDUS_DATABASE_URL: options.connectionString }),
    ...options.settings,
  });
  const profiling =
    context.profileDir === null ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${context.profileDir}` };
  const child = spawn(PROGRAM, ['serve'], {
    cwd: ROOT,
    env: { ...env, ...profiling },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = atEnd(async () => {
    await endChild(child, 'SIGTERM', STOP_MS);
    await rm(dataDir, { recursive: true, force: true });
  });
  try {
    const ready = Promise.withResolvers<number>();
    child.once('exit', (code) => ready.reject(new Error(`the program ended with ${code}`)));
    listen(child.stdout, context, (port) => ready.resolve(port));
    listen(child.stderr, context, () => {});
    const late = setTimeout(() => ready.reject(new Error('the program did not start in time')), START_MS);
    const port = await ready.promise.finally(() => clearTimeout(late));
    const connectionString = options.connectionString ?? (await findEmbeddedPostgres(dataDir));
    if (connectionString === null) throw new Error('the program runs without its database');
    await using client = await connect(connectionString);
    context.note('postgresql', await describeDatabase(client));
    const postmaster = parentOf(await numberFrom(client, 'select pg_backend_pid()')) ?? 0;
    const pid = child.pid ?? 0;
    // A database that the program has started is among its children.
    const cpu = () => {
      const postgres = cpuSeconds(postmaster);
      const family = cpuSeconds(pid);
      return { program: options.connectionString === undefined ? family - postgres : family, postgres };
    };
    return {
      pid,
      port,
      connectionString,
      ...(options.beside === undefined ? await bootstrap(env, 'Bench', DOMAIN) : identityOf(options.beside)),
      cpu,
      memory: () => residentBytes(pid, postmaster),
      another: (name, domain) => bootstrap(env, name, domain),
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Without the settings of whoever runs the benchmark. */
export function programEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VEREDUS_|NODE_OPTIONS$)/.test(name));
  return { ...Object.fromEntries(inherited), ...settings };
}

async function bootstrap(env: NodeJS.ProcessEnv, name: string, domain: string) {
  const order = ['--account', name, '--owner-email', `owner@${domain}`, '--server', name];
  const kind = ['--delivery', 'live', '--verified-domain', domain, '--json'];
  const { output } = await runProgram(PROGRAM, ['bootstrap', ...order, ...kind], { env, timeoutMs: START_MS });
  const made = JSON.parse(output) as { accountId: string; serverId: string; serverToken: string };
  const serverUuid = decodeIdOf('server', made.serverId);
  const accountUuid = decodeIdOf('account', made.accountId);
  if (serverUuid === null || accountUuid === null) throw new Error(`bootstrap answered ${output}`);
  return { token: made.serverToken, serverId: made.serverId, serverUuid, accountUuid };
}

const identityOf = ({ token, serverId, serverUuid, accountUuid }: Serving) => ({
  token,
  serverId,
  serverUuid,
  accountUuid,
});

/** Finds the address it prints, and passes on what it warns of: a benchmark of errors would be a fast one. */
function listen(stream: Readable, context: Context, onPort: (port: number) => void): void {
  let told = 0;
  createInterface({ input: stream }).on('line', (line) => {
    const port = /GraphiQL at http:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
    if (port !== undefined) onPort(Number(port));
    else if (/^{"level":"(warn|error|fatal)"/.test(line) && ++told <= 20) context.say(`the program says: ${line}`);
  });
}
