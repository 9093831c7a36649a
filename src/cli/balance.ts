// `veredus balance`: proves that everything accepted is accounted for, or says how much is not.
import { createBase } from '#/base.ts';
import { countQueued, readBalance } from '#/db/delivery-balance.ts';
import { writeInSystemScope } from '#/db/scope.ts';
import { systemClock } from '#/runtime/clock.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { readArguments } from './arguments.ts';
import { openDatabase } from './database.ts';

export async function run(args: readonly string[]): Promise<void> {
  const { json } = readArguments(args, { json: { type: 'boolean', default: false } });
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  // Standard output is for the answer alone.
  const log = createLog({ level: 'silent' });
  await using database = await openDatabase(config, log, 'share');
  await using base = createBase({ connectionString: database.connectionString, secretKeys, log });
  const balance = await writeInSystemScope(base.system, systemClock.now(), readBalance);
  const queued = await countQueued(base.system);
  if (json) console.log(JSON.stringify({ ...balance, queued }));
  else {
    const lines = { accepted: balance.accepted, ...balance.settled, open: balance.open };
    for (const [name, count] of Object.entries({ ...lines, unaccounted: balance.unaccounted })) {
      console.log(`${name.toLowerCase().replace('_', ' ').padEnd(12)}${String(count).padStart(15)}`);
    }
    console.log(`rows of the queue now: ${queued}`);
  }
  if (balance.unaccounted !== 0) process.exitCode = 1;
}
