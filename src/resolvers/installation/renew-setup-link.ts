// A new link with which the owner of the first account is made, while it has none. The link before is dead.
import { appendAudit } from '#/db/audit.ts';
import { findSetupAccount, hasOwner, lockInstallation, setSetupLink } from '#/db/installation.ts';
import { scopeOfAccount, writeInSystemScope } from '#/db/scope.ts';
import { Conflict } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import type { InstallationDeps } from './bootstrap.ts';

/** The secret of the link `/setup/…`, shown this once. Throws Conflict where there is nothing to set up. */
export function renewSetupLink(deps: InstallationDeps): Promise<string> {
  const { secret, hash } = makeOneTimeSecret(deps.random);
  return writeInSystemScope(deps.system, deps.clock.now(), async (system) => {
    await lockInstallation(system);
    const accountId = await findSetupAccount(system.tx);
    if (accountId === null) {
      throw new Conflict('There is no account that waits for its owner: `serve` makes one on an empty installation.');
    }
    if (await hasOwner(system.tx, accountId)) {
      throw new Conflict('The account has its owner. Who forgot the password asks for a new one where one signs in.');
    }
    await setSetupLink(system, accountId, hash);
    await appendAudit(
      scopeOfAccount(system, accountId),
      deps.ids.next(),
      { actor: { kind: 'OPERATOR', accountId, label: 'command line' }, requestId: 'setup-link', ipAddress: null },
      { action: 'installation.renewSetupLink', subjectIds: [encodeId('account', accountId)] },
    );
    return secret;
  });
}
