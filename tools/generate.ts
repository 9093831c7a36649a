// npm run gen: writes every generated file of the repository. With --check it writes none, names those that differ, and
// fails when there are any.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrateToLatest } from '#/db/migrate.ts';
import { startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import type { Log } from '#/runtime/ports.ts';
import { type GeneratedFile, generateFiles, root } from './generated-files.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error: console.error, child: () => quiet };

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const stale = await differing(await generate());
for (const file of stale) {
  console.log(values.check ? `${file.path} is out of date: run npm run gen` : `wrote ${file.path}`);
  if (!values.check) await write(file);
}
if (values.check && stale.length > 0) process.exitCode = 1;

async function generate(): Promise<readonly GeneratedFile[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'veredus-gen-'));
  try {
    await using database = await startEmbeddedPostgres({ dataDir, durable: false, log: quiet });
    await migrateToLatest(database.connectionString, new Date());
    return await generateFiles(database.connectionString);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function differing(files: readonly GeneratedFile[]): Promise<readonly GeneratedFile[]> {
  const committed = await Promise.all(files.map(({ path }) => readFile(join(root, path), 'utf8').catch(() => null)));
  return files.filter(({ content }, index) => content !== committed[index]);
}

async function write({ path, content }: GeneratedFile): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}
