// Once per test run: one throw-away PostgreSQL in memory, with migrated templates that every test database is cloned from.
// VEREDUS_TEST_DATABASE_URL names a server to use instead (PostgreSQL from 15 on, a role that may create databases).
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
import { FAKE_START } from './fake-clock.ts';
import { urlOfDatabase } from './postgres.ts';
import { silentLog } from './silent-log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a role that may create databases. */
    databaseUrl: string;
    /** With the partitions of today, and with those of a fake clock's first weeks. */
    templates: { readonly today: string; readonly fake: string };
  }
}

const PREFIX = 'veredus-test-';
/** Making the partitions of a week takes longer than cloning a database that has them. */
const KINDS = ['today', 'fake'] as const;

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
  await makeSigningInCheap(server.connectionString);
  return provideTemplates(project, server.connectionString, 'veredus_template', teardown);
}

/** 4,096 rounds of SHA-256 on both sides would be a good part of what a test database costs: each has some connections. */
async function makeSigningInCheap(url: string): Promise<void> {
  const { user = '', password = '' } = new pg.Client({ connectionString: url });
  const change = `alter role ${pg.escapeIdentifier(user)} password ${pg.escapeLiteral(password)}`;
  await runAsAdmin(url, `set scram_iterations = 1; ${change}`);
}

/** Other runs may share this server, so the templates have names of their own and go at the end. */
async function useServer(project: TestProject, url: string): Promise<() => Promise<void>> {
  const template = `veredus_template_${randomUUID().replaceAll('-', '')}`;
  return provideTemplates(project, url, template, async () => {
    for (const kind of KINDS) await runAsAdmin(url, `drop database if exists ${template}_${kind} with (force)`);
  });
}

async function provideTemplates(
  project: TestProject,
  url: string,
  name: string,
  teardown: () => Promise<void>,
): Promise<() => Promise<void>> {
  try {
    for (const kind of KINDS) {
      await runAsAdmin(url, `create database ${name}_${kind}`);
      await migrateToLatest(urlOfDatabase(url, `${name}_${kind}`), kind === 'fake' ? FAKE_START : new Date());
    }
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('databaseUrl', url);
  project.provide('templates', { today: `${name}_today`, fake: `${name}_fake` });
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
