// Large mail on its way in: kept in files of the data folder until whoever receives it has stored it. Nothing in them was
// acknowledged, so what a crash leaves behind is removed and comes again.
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Spool, SpoolFile } from './ports.ts';

/** Longer than any message takes to come in. */
const ABANDONED_MS = 2 * 3_600_000;

/** `folder` is made, and what was abandoned in it removed. */
export async function openSpool(folder: string, clock: Pick<Clock, 'now'>): Promise<Spool> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeAbandoned(folder, clock.now());
  return { create: () => createFile(join(folder, `${randomBytes(12).toString('hex')}.eml`)) };
}

async function createFile(path: string): Promise<SpoolFile> {
  const file = await open(path, 'wx', 0o600);
  let size = 0;
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await file.close();
  };
  return {
    path,
    get size() {
      return size;
    },
    async write(bytes) {
      await file.writeFile(bytes);
      size += bytes.length;
    },
    async read() {
      return readFile(path);
    },
    stream: () => createReadStream(path, { highWaterMark: 64 * 1024 }) as AsyncIterable<Buffer>,
    async [Symbol.asyncDispose]() {
      await close();
      await rm(path, { force: true });
    },
  };
}

async function removeAbandoned(folder: string, now: Date): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => now.getTime() - mtimeMs,
      // Another process has removed it.
      () => 0,
    );
    if (age > ABANDONED_MS) await rm(path, { force: true });
  }
}
