// Runs the real program (`bin/veredus`) as child processes, for tests that kill and restart it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { type EventEmitter, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { testSecretKey } from './secret-key.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'bin/veredus');
const run = promisify(execFile);

export interface Program extends AsyncDisposable {
  readonly url: string;
  /** What it printed so far. */
  readonly output: () => string;
  /** Its processes: the parent first, then the workers. */
  pids(): number[];
  /** SIGKILL for all of its own processes at once; the database stays, as after a crash. */
  kill(): Promise<void>;
  /** SIGINT, as Ctrl-C sends it; answers the exit code. */
  stop(): Promise<number | null>;
}

export type Settings = Readonly<Record<string, string>>;

/** Without the settings of whoever runs the tests. */
export function environment(settings: Settings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VEREDUS|VITEST|NODE_OPTIONS)/.test(name));
  // A database of its own needs a key of its own; the embedded one makes it.
  const key = 'VEREDUS_DATABASE_URL' in settings ? { VEREDUS_SECRET_KEY: testSecretKey } : {};
  return { ...Object.fromEntries(inherited), ...key, ...settings };
}

/** Below those that the system gives to whoever asks for any: nobody listens there by chance. */
const PORTS = { first: 20_000, count: 12_000 } as const;

/**
 * For a server to listen on, also when it is started again: nobody else is given it while this process lives, because this
 * process holds the same port of UDP.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const mark = createSocket('udp4').unref();
    if (!(await comes(mark.bind({ port, address: '127.0.0.1', exclusive: true }), 'listening'))) continue;
    const server = createServer().listen(port, '127.0.0.1');
    if (!(await comes(server, 'listening'))) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** False: an error came first. */
const comes = (emitter: EventEmitter, event: string): Promise<boolean> =>
  once(emitter, event).then(
    () => true,
    () => false,
  );

export async function startProgram(settings: Settings, timeoutMs = 60_000): Promise<Program> {
  const port = settings['VEREDUS_HTTP_PORT'] ?? String(await freePort());
  const child = spawn(program, ['serve'], {
    env: environment({
      VEREDUS_SUBMISSION_PORT: '0',
      VEREDUS_SUBMISSIONS_PORT: '0',
      VEREDUS_INBOUND_PORT: '0',
      VEREDUS_LOG_LEVEL: 'warn',
      VEREDUS_PUBLIC_URL: `http://127.0.0.1:${port}`,
      ...settings,
      VEREDUS_HTTP_PORT: port,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const url = `http://127.0.0.1:${port}`;
  await untilReady(child, url, timeoutMs, () => printed).catch((error: unknown) => {
    for (const pid of familyOf(child.pid ?? 0)) killQuietly(pid);
    throw error;
  });
  return {
    url,
    output: () => printed,
    pids: () => familyOf(child.pid ?? 0),
    async kill() {
      const family = familyOf(child.pid ?? 0);
      for (const pid of family) killQuietly(pid);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      while (family.some(isAlive)) await pause(10);
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };

  async function stop(): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill('SIGINT');
    await once(child, 'exit');
    return child.exitCode;
  }
}

export interface Bootstrapped {
  readonly accountId: string;
  readonly ownerId: string;
  readonly serverId: string;
  readonly serverToken: string;
  readonly accountToken: string;
}

/** What a command prints, beside a serving node. */
export async function runCommand(settings: Settings, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, args, { env: environment(settings) });
  return stdout;
}

export async function bootstrapProgram(settings: Settings, args: readonly string[]): Promise<Bootstrapped> {
  const answer: Bootstrapped = JSON.parse(await runCommand(settings, ['bootstrap', ...args, '--json']));
  return answer;
}

async function untilReady(child: ChildProcess, url: string, timeoutMs: number, printed: () => string): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the program ended:\n${printed()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.status === 200) return;
    await pause(50);
  }
  throw new Error(`the program was not ready in ${timeoutMs} ms:\n${printed()}`);
}

/** A process and its descendants but for PostgreSQL's, read from /proc. */
function familyOf(pid: number): number[] {
  const parents = new Map<number, { parent: number; name: string }>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const end = stat.lastIndexOf(')');
      parents.set(Number(entry), {
        name: stat.slice(stat.indexOf('(') + 1, end),
        parent: Number(stat.slice(end + 2).split(' ')[1]),
      });
    } catch {
      // It ended meanwhile.
    }
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, { parent, name }] of parents) if (parent === member && name !== 'postgres') family.push(child);
  }
  return family.filter((member) => parents.has(member));
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
