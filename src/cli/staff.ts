// `veredus staff`: says who works for the installation.
import { type Base, createBase } from '#/base.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { listStaff } from '#/db/staff-access.ts';
import { addStaff, removeStaff } from '#/resolvers/installation/staff.ts';
import { systemClock } from '#/runtime/clock.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { readArguments, UsageError } from './arguments.ts';
import { openDatabase } from './database.ts';

const options = {
  add: { type: 'string' },
  remove: { type: 'string' },
  list: { type: 'boolean', default: false },
} as const;

interface Order {
  readonly add?: string | undefined;
  readonly remove?: string | undefined;
  readonly list: boolean;
}

export async function run(args: readonly string[]): Promise<void> {
  const order: Order = readArguments(args, options);
  if ([order.add, order.remove, order.list || undefined].filter((given) => given !== undefined).length !== 1) {
    throw new UsageError('give one of --add ADDRESS, --remove ADDRESS, --list');
  }
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  // Standard output is for the answer alone.
  const log = createLog({ level: 'silent' });
  await using database = await openDatabase(config, log, 'share');
  if (config.autoMigrate) await migrateToLatest(database.connectionString, systemClock.now());
  await using base = createBase({ connectionString: database.connectionString, secretKeys, log });
  for (const line of await perform(base, order)) console.log(line);
}

async function perform(base: Base, { add, remove }: Order): Promise<readonly string[]> {
  if (add !== undefined) {
    const { email, isNew } = await addStaff(base, add);
    const start = isNew
      ? 'The address is new here: they ask for a password where one signs in (“Forgot your password?”, or requestPasswordReset).'
      : 'They sign in as before.';
    return [`${email} is staff now. ${start}`, 'Before anything else they set up a second factor.'];
  }
  if (remove !== undefined) {
    const ended = await removeStaff(base, remove);
    if (ended === null) throw new UsageError(`${remove} is no staff`);
    return [`${remove} is no staff any more; ${ended} open accesses and requests were ended.`];
  }
  const staff = await listStaff(base.system.db);
  return staff.map(({ email, secondFactor }) => `${email}${secondFactor ? '' : '  (no second factor yet)'}`);
}
