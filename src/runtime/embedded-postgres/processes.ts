// What the operating system knows of other processes: enough never to signal a stranger that inherited a number.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Names one life of a process: two processes that get the same number at different times differ in it. Null when there
 * is no such process, or only its zombie.
 */
export async function lifeOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return (await ps(pid, 'lstart=')) || null;
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may hold anything; fields 3 (state) and 22 (start) follow it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
    return `${boot.trim()}:${fields[19]}`;
  } catch {
    return null;
  }
}

/** Whether `pid` is a postmaster whose command line names exactly this cluster folder. */
export async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  if ((await lifeOf(pid)) === null) return false;
  if (process.platform !== 'linux') return (await ps(pid, 'command=')).includes(`postgres -D ${clusterDir} `);
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const words = command.split('\0');
  const folder = words.indexOf('-D');
  return (words[0] ?? '').endsWith('postgres') && folder > 0 && words[folder + 1] === clusterDir;
}

/** A number that any process holds, zombies and other users' processes included: what kill(pid, 0) tells PostgreSQL. */
export function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function ps(pid: number, column: string): Promise<string> {
  try {
    return (await run('ps', ['-ww', '-o', column, '-p', String(pid)])).stdout.trim();
  } catch {
    return '';
  }
}
