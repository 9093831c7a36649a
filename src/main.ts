// The program: `veredus COMMAND`. Picks the command; each stands in src/cli.
import { ConfigError } from '#/runtime/config.ts';
import { ExpectedError } from '#/domain/errors.ts';
import { UsageError } from '#/cli/arguments.ts';

const commands: Readonly<Record<string, () => Promise<{ run(args: readonly string[]): Promise<void> }>>> = {
  serve: () => import('#/cli/serve.ts'),
  worker: () => import('#/cli/worker.ts'),
  migrate: () => import('#/cli/migrate.ts'),
  bootstrap: () => import('#/cli/bootstrap.ts'),
  'setup-link': () => import('#/cli/setup-link.ts'),
  staff: () => import('#/cli/staff.ts'),
  balance: () => import('#/cli/balance.ts'),
  recount: () => import('#/cli/recount.ts'),
  tail: () => import('#/cli/tail.ts'),
  inspect: () => import('#/cli/inspect.ts'),
};

const USAGE = `veredus serve        runs the roles
veredus migrate      brings the database up to date
veredus bootstrap    makes an account, its owner, a server and tokens:
    --account NAME --owner-email ADDRESS [--owner-password-file FILE]
    --server NAME [--delivery live|sandbox] [--verified-domain DOMAIN]… [--json]
veredus staff        says who works for the installation, and may ask accounts for access:
    --add ADDRESS | --remove ADDRESS | --list
veredus setup-link   prints a new link with which the owner of the first account is made
veredus balance [--json]
                     whether everything accepted is settled or still open; exit code 1 when not
veredus recount [--repair] [--json]
                     whether the counters are what the log says, as far as it is kept; exit code 1 when not
veredus tail         follows a server's events: --token-file FILE [--url URL] [--server ID] [--after CURSOR]
    [--type TYPE]… [--stream SLUG]… [--tag TAG] [--recipient ADDRESS] [--message ID] [--json]
veredus inspect      tells what it makes of raw messages:
    [--json] FILE…, or of SMTP replies: --replies, JSON lines on standard input

Settings are environment variables: docs/configuration.md.`;

/** Exit codes after sysexits.h: 64 usage, 78 configuration, 1 anything else. */
async function main(): Promise<void> {
  const [name, ...args] = process.argv.slice(2);
  const load = name === undefined ? undefined : commands[name];
  if (load === undefined) {
    const asked = name === undefined || name === 'help' || name === '--help';
    (asked ? console.log : console.error)(asked ? USAGE : `veredus: there is no command ${name}\n\n${USAGE}`);
    process.exitCode = asked ? 0 : 64;
    return;
  }
  try {
    await (await load()).run(args);
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 64 : error instanceof ConfigError ? 78 : 1;
    const known = error instanceof UsageError || error instanceof ConfigError || error instanceof ExpectedError;
    console.error(known ? `veredus: ${error.message}` : error);
  }
}

await main();
