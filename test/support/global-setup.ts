// Once per test run: one throw-away PostgreSQL in memory, with a migrated template that every test database is cloned
// from. VEREDUS_TEST_DATABASE_URL names a server to use instead (PostgreSQL from 15 on, a role that may create databases).
import { randomUUID } from 'node:crypto';
import { access, chmod, constants, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrateToLatest } from '#/db/migrate.ts';
import { stopAbandonedServer } from '#/runtime/embedded-postgres/cluster.ts';
import { isAbandoned } from '#/runtime/embedded-postgres/folder-lock.ts';
import { startEmbeddedPostgres } from '#/runtime/embedded-postgres.ts';
import { urlOfDatabase } from './postgres.ts';
import { silentLog } from './silent-log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a role that may create databases. */
    databaseUrl: string;
    templateDatabase: string;
  }
}

const PREFIX = 'veredus-test-';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['VEREDUS_TEST_DATABASE_URL'];
  return given ? useServer(project, given) : useOwn(project);
}

async function useOwn(project: TestProject): Promise<() => Promise<void>> {
  const base = await access('/dev/shm', constants.W_OK).then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  await removeAbandoned(base);
  const dataDir = await mkdtemp(join(base, PREFIX));
  // As root the server runs as another user, who has to get in.
  await chmod(dataDir, 0o711);
  const server = await startEmbeddedPostgres({
    dataDir,
    durable: false,
    maxConnections: 200,
    log: silentLog,
    // A worker inside the template makes a clone wait; test databases do not live long enough to need vacuum.
    settings: { autovacuum: 'off' },
  });
  const teardown = async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return provideTemplate(project, server.connectionString, 'veredus_template', teardown);
}

/** Other runs may share this server, so the template has a name of its own and goes at the end. */
async function useServer(project: TestProject, url: string): Promise<() => Promise<void>> {
  const template = `veredus_template_${randomUUID().replaceAll('-', '')}`;
  return provideTemplate(project, url, template, () =>
    runAsAdmin(url, `drop database if exists ${template} with (force)`),
  );
}

async function provideTemplate(
  project: TestProject,
  url: string,
  template: string,
  teardown: () => Promise<void>,
): Promise<() => Promise<void>> {
  try {
    await runAsAdmin(url, `create database ${template}`);
    await migrateToLatest(urlOfDatabase(url, template), new Date());
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('databaseUrl', url);
  project.provide('templateDatabase', template);
  return teardown;
}

async function runAsAdmin(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A test run that was killed leaves its server and its folder, which is memory. */
async function removeAbandoned(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    const dataDir = join(base, name);
    if (!name.startsWith(PREFIX) || !(await isAbandoned(dataDir))) continue;
    await stopAbandonedServer(join(dataDir, 'postgres'), silentLog);
    await rm(dataDir, { recursive: true, force: true });
  }
}
