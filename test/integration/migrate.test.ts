// Migrations from zero, by many nodes at once.
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { bucketedTables } from '#/db/partitions.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { bucketAt } from '#/domain/retention.ts';
import { urlOfDatabase } from '../support/postgres.ts';

async function withEmptyDatabase(run: (url: string) => Promise<void>): Promise<void> {
  const name = `empty_${process.pid}_${performance.now().toFixed(0)}`;
  const admin = new pg.Client({ connectionString: inject('databaseUrl') });
  await admin.connect();
  try {
    await admin.query(`create database ${name}`);
    await run(urlOfDatabase(inject('databaseUrl'), name));
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}

test('twenty nodes that start at once on an empty database find one schema', { timeout: 60_000 }, () =>
  withEmptyDatabase(async (url) => {
    const now = new Date('2026-03-01T00:00:00Z');
    await Promise.all(Array.from({ length: 20 }, () => migrateToLatest(url, now)));
    await migrateToLatest(url, now);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class where relispartition and relkind = 'r' order by relname`,
    );
    await client.end();
    const first = bucketAt(now, 45);
    const expected = bucketedTables.flatMap((table) => [0, 1, 2].map((week) => `${table}_${first + week}`));
    expect(rows.map(({ name }) => name)).toEqual(expected.toSorted());
  }),
);
