// `veredus migrate`: brings the database up to date.
import { migrateToLatest } from '#/db/migrate.ts';
import { systemClock } from '#/runtime/clock.ts';
import { loadConfig } from '#/runtime/config.ts';
import { createLog } from '#/runtime/log.ts';
import { environment } from '#/runtime/environment.ts';
import { readArguments } from './arguments.ts';
import { openDatabase } from './database.ts';

export async function run(args: readonly string[]): Promise<void> {
  readArguments(args, {});
  const config = loadConfig(environment());
  const log = createLog({ level: config.logLevel });
  await using database = await openDatabase(config, log, 'share');
  await migrateToLatest(database.connectionString, systemClock.now());
  log.info({}, 'the database is up to date');
}
