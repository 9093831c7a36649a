// Programs of the operating system that are measured beside ours: found, installed where that may be done, run, ended.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin'];

export function findProgram(name: string): string | null {
  for (const folder of FOLDERS) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return null;
}

/** Where it is not there: from Debian's packages when we are root, which may take a minute. */
export function findOrInstall(name: string, aptPackage: string, say: (line: string) => void): string | null {
  const found = findProgram(name);
  if (found !== null || process.getuid?.() !== 0 || findProgram('apt-get') === null) return found;
  say(`installing ${aptPackage} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-q'], { env, stdio: 'ignore', timeout: 180_000 });
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', aptPackage], {
    env,
    stdio: 'ignore',
    timeout: 300_000,
  });
  return findProgram(name);
}

export interface Finished {
  readonly output: string;
  readonly seconds: number;
}

/** Runs a program to its end; throws with what it said when it fails. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly timeoutMs: number },
): Promise<Finished> {
  const startedAt = performance.now();
  const child = spawn(file, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`${file} ended with ${code ?? child.signalCode}:\n${errors}${output}`);
  return { output, seconds: (performance.now() - startedAt) / 1_000 };
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Asks a child to end; what is still there after `patienceMs` is killed. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const patience = new AbortController();
  const late = sleep(patienceMs, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const);
  if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
  patience.abort();
  await ended;
}

/** Until `done` says so; throws after `timeoutMs` with what `describe` tells. */
export async function until(
  done: () => boolean | Promise<boolean>,
  options: { readonly everyMs: number; readonly timeoutMs: number; describe(): string },
): Promise<void> {
  const end = performance.now() + options.timeoutMs;
  while (!(await done())) {
    if (performance.now() > end)
      throw new Error(`waited ${options.timeoutMs / 1_000} s in vain: ${options.describe()}`);
    await sleep(options.everyMs);
  }
}
