// Makes an account, its owner, a server and tokens on the operator's word, without a browser. Run again with the same
// names it makes nothing twice and issues new tokens.
import { appendAudit } from '#/db/audit.ts';
import { ensureOwner, findAccountByName, insertAccount, lockInstallation, upsertUser } from '#/db/installation.ts';
import { scopeOfAccount, type SystemScope, type SystemWriteScope, writeInSystemScope } from '#/db/scope.ts';
import { Conflict, InvalidInput } from '#/domain/errors.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { encodeId } from '#/domain/ids.ts';
import { serverTokenScopes } from '#/domain/permissions.ts';
import type { Channel, Clock, Ids, Random, SecretBox } from '#/runtime/ports.ts';
import { issueToken } from '../tokens/issue-token.ts';
import { claimDomains, ensureServer, prepareDomains, type ServerOrder } from './named-server.ts';

export interface BootstrapOrder extends ServerOrder {
  readonly account: string;
  readonly ownerEmail: string;
  /** argon2; null: the owner sets a password by a mailed link. Never changes that of an identity that is there. */
  readonly ownerPasswordHash: string | null;
}

/** Ids are UUIDs; the tokens are secrets, shown this once. */
export interface Bootstrapped {
  readonly accountId: string;
  readonly ownerId: string;
  readonly serverId: string;
  readonly serverToken: string;
  readonly accountToken: string;
}

export interface InstallationDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly channel: Channel;
  readonly secrets: SecretBox;
}

export async function bootstrap(deps: InstallationDeps, order: BootstrapOrder): Promise<Bootstrapped> {
  check(order);
  const domains = await prepareDomains(order.verifiedDomains);
  const made = await writeInSystemScope(deps.system, deps.clock.now(), async (system) => {
    await lockInstallation(system);
    const accountId = await ensureAccount(deps, system, order);
    const userId = await upsertUser(system, {
      id: deps.ids.next(),
      email: order.ownerEmail,
      name: order.ownerEmail,
      passwordHash: order.ownerPasswordHash,
    });
    const scope = scopeOfAccount(system, accountId);
    const ownerId = await ensureOwner(scope, userId);
    const serverId = await ensureServer(deps, scope, order);
    await claimDomains(deps, scope, domains);
    const sandbox = order.delivery === 'SANDBOX';
    const server = await issueToken(scope, deps, {
      accountId,
      name: 'bootstrap',
      server: { id: serverId, sandbox },
      scopes: serverTokenScopes,
    });
    const account = await issueToken(scope, deps, { accountId, name: 'bootstrap', server: null, scopes: [] });
    await appendAudit(
      scope,
      deps.ids.next(),
      { actor: { kind: 'OPERATOR', accountId, label: 'command line' }, requestId: 'bootstrap', ipAddress: null },
      {
        action: 'installation.bootstrap',
        subjectIds: [
          encodeId('account', accountId),
          encodeId('server', serverId),
          encodeId('token', server.token.id),
          encodeId('token', account.token.id),
        ],
        changes: { verifiedDomains: order.verifiedDomains },
      },
    );
    return { accountId, ownerId, serverId, serverToken: server.secret, accountToken: account.secret };
  });
  deps.channel.nudge('config');
  return made;
}

function check(order: BootstrapOrder): void {
  for (const [path, value] of [
    ['account', order.account],
    ['server', order.server],
  ] as const) {
    if (value.trim() === '' || value.length > 100) throw InvalidInput.at([path], 'must have 1 to 100 characters');
  }
  const owner = parseMailbox(order.ownerEmail);
  if (!owner.ok) throw InvalidInput.at(['owner-email'], owner.reason);
}

/** Where strangers may sign up, an account of the same name may be theirs: nothing is made in it. */
async function ensureAccount(
  { ids }: InstallationDeps,
  system: SystemWriteScope,
  { account, ownerEmail }: BootstrapOrder,
): Promise<string> {
  const known = await findAccountByName(system, account, ownerEmail);
  if (known !== undefined && !known.member && known.ownerEmail !== null) {
    throw new Conflict(`The account "${account}" has another owner, and ${ownerEmail} is no member of it.`);
  }
  if (known !== undefined) return known.id;
  const id = ids.next();
  await insertAccount(system, { id, name: account });
  return id;
}
