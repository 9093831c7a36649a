// `veredus bootstrap`: makes an account, its owner, a server and tokens without a browser.
import { readFile } from 'node:fs/promises';
import { createBase } from '#/base.ts';
import { migrateToLatest } from '#/db/migrate.ts';
import { encodeId } from '#/domain/ids.ts';
import { checkPassword } from '#/domain/password/check-password.ts';
import { bootstrap } from '#/resolvers/installation/bootstrap.ts';
import { systemClock } from '#/runtime/clock.ts';
import { loadConfig } from '#/runtime/config.ts';
import { environment } from '#/runtime/environment.ts';
import { createLog } from '#/runtime/log.ts';
import { hashPassword } from '#/runtime/password-hash.ts';
import { obtainSecretKeys } from '#/runtime/secret-keys.ts';
import { readArguments, required, UsageError } from './arguments.ts';
import { openDatabase } from './database.ts';
import { assertSharedKey } from './shared-key.ts';

const options = {
  account: { type: 'string' },
  'owner-email': { type: 'string' },
  'owner-password-file': { type: 'string' },
  server: { type: 'string' },
  delivery: { type: 'string', default: 'live' },
  'verified-domain': { type: 'string', multiple: true, default: [] as string[] },
  json: { type: 'boolean', default: false },
} as const;

export async function run(args: readonly string[]): Promise<void> {
  const given = readArguments(args, options);
  const { delivery } = given;
  if (delivery !== 'live' && delivery !== 'sandbox') throw new UsageError('--delivery must be live or sandbox');
  const account = required('account', given.account);
  const ownerEmail = required('owner-email', given['owner-email']);
  const order = {
    account,
    ownerEmail,
    server: required('server', given.server),
    delivery: delivery === 'live' ? ('LIVE' as const) : ('SANDBOX' as const),
    verifiedDomains: given['verified-domain'],
    ownerPasswordHash: await passwordHash(given['owner-password-file'], [ownerEmail, account]),
  };
  const config = loadConfig(environment());
  const secretKeys = await obtainSecretKeys(config);
  // Standard output is for the answer alone.
  const log = createLog({ level: 'silent' });
  await using database = await openDatabase(config, log, 'share');
  if (config.autoMigrate) await migrateToLatest(database.connectionString, systemClock.now());
  await using base = createBase({ connectionString: database.connectionString, secretKeys, log });
  await assertSharedKey(base);
  const made = await bootstrap(base, order);
  const answer = {
    accountId: encodeId('account', made.accountId),
    ownerId: encodeId('user', made.ownerId),
    serverId: encodeId('server', made.serverId),
    serverToken: made.serverToken,
    accountToken: made.accountToken,
  };
  if (given.json) console.log(JSON.stringify(answer));
  else for (const [name, value] of Object.entries(answer)) console.log(`${name.padEnd(14)}${value}`);
}

/** `about`: what the password must not consist of. */
async function passwordHash(file: string | undefined, about: readonly string[]): Promise<string | null> {
  if (file === undefined) return null;
  const password = (
    await readFile(file, 'utf8').catch(() => {
      throw new UsageError(`--owner-password-file: ${file} cannot be read`);
    })
  ).replace(/\r?\n$/, '');
  const check = checkPassword(password, about);
  if (!check.ok) {
    throw new UsageError([`--owner-password-file: the password ${check.reason}.`, ...check.suggestions].join(' '));
  }
  return hashPassword(check.normalized);
}
