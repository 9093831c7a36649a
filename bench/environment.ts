// The machine and the versions: figures mean nothing without them.
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { percentile } from './stats.ts';

export interface Environment {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly fileSystem: string;
  /** One 8 KB write and its fdatasync in the data folder. */
  readonly syncMicroseconds: { readonly p50: number; readonly p99: number };
  /** Before the first scenario: what else ran. */
  readonly loadAverage: number;
}

export function describeEnvironment(root: string, folder: string): Environment {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    commit: commitOf(root),
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    system: systemName(),
    node: process.version,
    fileSystem: fileSystemOf(folder),
    syncMicroseconds: syncCost(folder),
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

function commitOf(root: string): string {
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short=12', 'HEAD');
  if (status !== 0) return 'unknown';
  const changed = git('status', '--porcelain', '--', 'src', 'bin', 'package-lock.json').stdout.trim() !== '';
  return `${stdout.trim()}${changed ? ' with changes' : ''}`;
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs: in memory, nothing is durable'],
  [0x794c7630, 'overlayfs'],
  [0x2fc12fc1, 'zfs'],
]);

function fileSystemOf(folder: string): string {
  const { type } = statfsSync(folder);
  return FILE_SYSTEMS.get(type) ?? `0x${type.toString(16)}`;
}

function syncCost(folder: string) {
  const file = join(folder, 'sync');
  const page = Buffer.alloc(8_192, 1);
  const times: number[] = [];
  const descriptor = openSync(file, 'w');
  try {
    for (let index = 0; index < 300; index++) {
      const startedAt = performance.now();
      writeSync(descriptor, page);
      fdatasyncSync(descriptor);
      times.push((performance.now() - startedAt) * 1_000);
    }
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
  return { p50: Math.round(percentile(times, 0.5)), p99: Math.round(percentile(times, 0.99)) };
}
