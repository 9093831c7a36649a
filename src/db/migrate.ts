// Brings a database up to date. Forward only; Kysely's migrator holds an advisory lock, so that any number of nodes may
// start at once: one migrates, the others wait and find it done.
import { Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { migrations } from './migrations/index.ts';
import { ensurePartitions, listRetentions } from './partitions.ts';

export async function migrateToLatest(connectionString: string, now: Date): Promise<void> {
  const pool = new pg.Pool({ connectionString, max: 2 });
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) {
      const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'unknown';
      throw new Error(`migration ${failed} failed`, { cause: error });
    }
    await ensurePartitions(db, now, [RETENTION_DAYS.default, ...(await listRetentions(db))]);
  } finally {
    await db.destroy();
  }
}
