// Which keys secrets are sealed with: the operator's, and the one in the data folder, which is made when there is neither.
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';

const FILE = 'secret.key';

/**
 * First the key that seals. One in the data folder still opens what was sealed before the operator set another. Nodes
 * that share a database must share the key: set it, or give them one data folder (src/cli/shared-key.ts refuses another).
 */
export async function obtainSecretKeys(config: Pick<Config, 'dataDir' | 'secretKeys'>): Promise<readonly string[]> {
  const given = config.secretKeys ?? [];
  const path = join(config.dataDir, FILE);
  const kept = await readKey(path);
  if (kept !== null) return given.includes(kept) ? given : [...given, kept];
  return given.length > 0 ? given : [await makeKey(config.dataDir, path)];
}

async function readKey(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim() || null;
  } catch (error) {
    if (isError(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Written whole under another name first: two that start at once agree on the one that was linked first. */
async function makeKey(folder: string, path: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const key = randomBytes(32).toString('base64url');
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${key}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    return key;
  } catch (error) {
    if (!isError(error, 'EEXIST')) throw error;
    const other = await readKey(path);
    if (other === null) throw new Error(`${path} is empty: restore it from a backup, or remove it`, { cause: error });
    return other;
  } finally {
    await rm(draft, { force: true });
  }
}

function isError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
