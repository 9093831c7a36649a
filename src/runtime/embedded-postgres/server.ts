// One run of the postgres program: from spawn to "takes connections", its log, and its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../ports.ts';
import type { Account } from './account.ts';
import { serverEnvironment } from './cluster.ts';

const POLL_MS = 20;
/** Replaying 4 GB of log after a crash takes minutes on a slow disk. */
const STILL_STARTING_MS = 10_000;
const FAST_SHUTDOWN_MS = 10_000;
const KEPT_LINES = 50;

export interface Exit {
  readonly code: number | null;
}

/**
 * starting → ready → stopping → exited; from each of the first three also straight to exited.
 * While starting and stopping the server tells clients so by FATAL lines, which are no failures.
 */
export class Server {
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private readonly lastLines: string[] = [];
  private readonly log: Log;
  private phase: 'starting' | 'ready' | 'stopping' | 'exited' = 'starting';
  private stopped: Promise<void> | null = null;

  constructor(options: {
    account: Account;
    postgres: string;
    clusterDir: string;
    settings: Record<string, string>;
    log: Log;
  }) {
    this.log = options.log;
    const settings = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const { file, args, ...identity } = options.account.command(options.postgres, [
      '-D',
      options.clusterDir,
      ...settings,
    ]);
    this.child = spawn(file, args, {
      cwd: '/',
      env: serverEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
      // A session of its own: Ctrl-C goes to the whole foreground group, and the server must outlive the draining.
      detached: true,
      ...identity,
    });
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.exited = promise;
    const ended = (code: number | null) => {
      this.phase = 'exited';
      process.off('exit', this.signalAtExit);
      resolve({ code });
    };
    this.child.once('error', (error) => {
      this.keep(error.message);
      ended(null);
    });
    this.child.once('exit', ended);
    process.on('exit', this.signalAtExit);
    this.readLog(this.child.stderr);
    this.child.unref();
  }

  /** Resolves true when the server takes connections, false when it ended before that. */
  async ready(connectionString: string): Promise<boolean> {
    for (let waited = POLL_MS; this.running(); waited += POLL_MS) {
      await Promise.race([sleep(POLL_MS), this.exited]);
      if (this.running() && (await this.answers(connectionString))) {
        this.phase = 'ready';
        return true;
      }
      if (waited % STILL_STARTING_MS === 0)
        this.log.info({}, 'PostgreSQL is still starting, after a crash it recovers first');
    }
    // The last lines may still be in the pipe when the exit is known.
    await sleep(POLL_MS);
    return false;
  }

  /** What it said last, for the error of whoever started it. */
  output(): string {
    return this.lastLines.join('\n');
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private async shutDown(): Promise<void> {
    if (!this.running()) return;
    this.phase = 'stopping';
    // Unreferenced so far, and then nothing would keep this process alive until the end that is awaited.
    this.child.ref();
    this.child.kill('SIGINT');
    const patience = new AbortController();
    const inTime = sleep(FAST_SHUTDOWN_MS, false, { signal: patience.signal }).catch(() => true);
    if (!(await Promise.race([this.exited.then(() => true), inTime]))) {
      this.log.warn({}, 'PostgreSQL did not shut down in time; it will recover on the next start');
      this.child.kill('SIGQUIT');
    }
    patience.abort();
    await this.exited;
  }

  private running(): boolean {
    return this.phase !== 'exited';
  }

  private async answers(connectionString: string): Promise<boolean> {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch (error) {
      // Wrong password or no such database will not come right by waiting.
      if (error instanceof pg.DatabaseError && !['57P03', '53300'].includes(error.code ?? '')) throw error;
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  private readonly signalAtExit = () => {
    this.child.kill('SIGINT');
  };

  private readLog(stderr: Readable | null): void {
    if (stderr === null) return;
    if (stderr instanceof Socket) stderr.unref();
    createInterface({ input: stderr }).on('line', (line) => {
      this.keep(line);
      const fatal = /^(FATAL|PANIC): /.test(line) && this.phase === 'ready' && !line.includes('administrator command');
      if (fatal) this.log.error({}, `postgres: ${line}`);
      else this.log.debug({}, `postgres: ${line}`);
    });
  }

  private keep(line: string): void {
    this.lastLines.push(line);
    if (this.lastLines.length > KEPT_LINES) this.lastLines.shift();
  }
}
