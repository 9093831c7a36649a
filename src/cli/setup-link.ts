// `veredus setup-link`: prints a new link with which the owner of the first account is made.
import { createBase } from '#/base.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { renewSetupLink } from '#/resolvers/installation/renew-setup-link.ts';
import { systemClock } from '#/runtime/clock.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { readArguments } from './arguments.ts';
import { openDatabase } from './database.ts';
import { setupUrl } from './first-start.ts';

export async function run(args: readonly string[]): Promise<void> {
  readArguments(args, {});
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  // Standard output is for the answer alone.
  const log = createLog({ level: 'silent' });
  await using database = await openDatabase(config, log, 'share');
  if (config.autoMigrate) await migrateToLatest(database.connectionString, systemClock.now());
  await using base = createBase({ connectionString: database.connectionString, secretKeys, log });
  console.log(setupUrl(config.publicUrl, await renewSetupLink(base)));
}
