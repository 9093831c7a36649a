// What an empty installation begins with: an account without an owner, a sandbox server with a token, and the link with
// which the owner is made.
import { appendAudit } from '#/db/audit.ts';
import { insertAccount, isEmptyInstallation, lockInstallation, setSetupLink } from '#/db/installation.ts';
import { scopeOfAccount, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { encodeId } from '#/domain/ids.ts';
import { serverTokenScopes } from '#/domain/permissions.ts';
import { makeOneTimeSecret } from '../one-time-secret.ts';
import { issueToken } from '../tokens/issue-token.ts';
import type { InstallationDeps } from './bootstrap.ts';
import { claimDomains, ensureServer, type PreparedDomain, prepareDomains } from './named-server.ts';

/** Secrets, shown this once. */
export interface FirstAccount {
  readonly accountId: string;
  readonly serverToken: string;
  /** Of the link `/setup/…`. */
  readonly setupSecret: string;
}

/** `sandboxDomain`: what the sandbox server may send from. Null: there are accounts already. */
export async function makeFirstAccount(deps: InstallationDeps, sandboxDomain: string): Promise<FirstAccount | null> {
  if (!(await isEmptyInstallation(deps.system.db))) return null;
  const domains = await prepareDomains([sandboxDomain]);
  const made = await writeInSystemScope(deps.system, deps.clock.now(), async (system) => {
    await lockInstallation(system);
    // Another node was faster, and has told.
    return (await isEmptyInstallation(system.tx)) ? make(deps, system, domains) : null;
  });
  if (made !== null) deps.channel.nudge('config');
  return made;
}

async function make(
  deps: InstallationDeps,
  system: SystemWriteScope,
  domains: readonly PreparedDomain[],
): Promise<FirstAccount> {
  const accountId = deps.ids.next();
  await insertAccount(system, { id: accountId, name: 'My account' });
  const scope = scopeOfAccount(system, accountId);
  const serverId = await ensureServer(deps, scope, { server: 'Sandbox', delivery: 'SANDBOX', verifiedDomains: [] });
  await claimDomains(deps, scope, domains);
  const server = { id: serverId, sandbox: true };
  const { token, secret } = await issueToken(scope, deps, {
    accountId,
    name: 'first start',
    server,
    scopes: serverTokenScopes,
  });
  const setup = makeOneTimeSecret(deps.random);
  await setSetupLink(system, accountId, setup.hash);
  await appendAudit(
    scope,
    deps.ids.next(),
    { actor: { kind: 'OPERATOR', accountId, label: 'first start' }, requestId: 'first-start', ipAddress: null },
    {
      action: 'installation.firstStart',
      subjectIds: [encodeId('account', accountId), encodeId('server', serverId), encodeId('token', token.id)],
    },
  );
  return { accountId, serverToken: secret, setupSecret: setup.secret };
}
