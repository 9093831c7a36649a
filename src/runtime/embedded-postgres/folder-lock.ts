// One node process per data folder: `veredus.pid` names the owner. It is stale as soon as its owner is dead, however it
// died, so nobody ever has to delete it by hand. Two containers that mount one volume do not see each other's
// processes and are not told apart here; such set-ups want a PostgreSQL server of their own.
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lifeOf } from './processes.ts';

export interface FolderLock {
  release(): Promise<void>;
}

export async function lockFolder(dataDir: string): Promise<FolderLock> {
  const path = join(dataDir, 'veredus.pid');
  const mine = `${process.pid}\n${await lifeOf(process.pid)}\n`;
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    // Linking is atomic and refuses when the name exists: of several starters one wins.
    while (!(await linked(draft, path))) await removeStale(path, dataDir);
  } finally {
    await rm(draft, { force: true });
  }
  return {
    async release() {
      if ((await readOrNull(path)) === mine) await rm(path, { force: true });
    },
  };
}

/** True when the folder had an owner and that owner died without releasing it. */
export async function isAbandoned(dataDir: string): Promise<boolean> {
  const found = await readOrNull(join(dataDir, 'veredus.pid'));
  return found !== null && (await liveOwner(found)) === null;
}

async function removeStale(path: string, dataDir: string): Promise<void> {
  const found = await readOrNull(path);
  const owner = await liveOwner(found);
  if (owner !== null) throw new Error(`data folder ${dataDir} is in use by process ${owner}`);
  if (found === null) return;
  // Moved aside before it is deleted: between the look and the move another starter may have put its own in place.
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readOrNull(aside);
  if (moved !== null && moved !== found) await linked(aside, path);
  await rm(aside, { force: true });
}

async function liveOwner(content: string | null): Promise<number | null> {
  const [pid, life] = (content ?? '').split('\n');
  const number = Number(pid);
  if (!Number.isInteger(number) || number < 1) return null;
  return (await lifeOf(number)) === life ? number : null;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
