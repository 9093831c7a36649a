// Makes an account, its owner, a server and tokens on the operator's word, without a browser. Run again with the same
// names it makes nothing twice and issues new tokens.
import { appendAudit } from '#/db/audit.ts';
import {
  ensureOwner,
  findAccountByName,
  findServerByName,
  insertAccount,
  lockInstallation,
  upsertUser,
} from '#/db/installation.ts';
import { scopeOfAccount, type SystemScope, type WriteScope, writeInSystemScope } from '#/db/scope.ts';
import { insertServer } from '#/db/servers.ts';
import { Conflict, InvalidInput } from '#/domain/errors.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { encodeId } from '#/domain/ids.ts';
import { serverTokenScopes } from '#/domain/permissions.ts';
import { generateDkimKeys } from '#/mail/dkim/keys.ts';
import type { Channel, Clock, Ids, Random, SecretBox } from '#/runtime/ports.ts';
import { type KeyPairs, sealKeys } from '../domains/make-keys.ts';
import { verifyOnWord } from '../domains/verify-on-word.ts';
import { insertDefaultStreams } from '../servers/default-streams.ts';
import { issueToken } from '../tokens/issue-token.ts';

export interface BootstrapOrder {
  readonly account: string;
  readonly ownerEmail: string;
  /** argon2; null: the owner signs in by a link. */
  readonly ownerPasswordHash: string | null;
  readonly server: string;
  readonly delivery: 'LIVE' | 'SANDBOX';
  readonly verifiedDomains: readonly string[];
}

/** Ids are UUIDs; the tokens are secrets, shown this once. */
export interface Bootstrapped {
  readonly accountId: string;
  readonly ownerId: string;
  readonly serverId: string;
  readonly serverToken: string;
  readonly accountToken: string;
}

interface BootstrapDeps {
  readonly system: SystemScope;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly channel: Channel;
  readonly secrets: SecretBox;
}

export async function bootstrap(deps: BootstrapDeps, order: BootstrapOrder): Promise<Bootstrapped> {
  const names = check(order);
  // Before the transaction: they take a tenth of a second each, and the log waits for whoever is in one.
  const pairs = await Promise.all(names.map(() => generateDkimKeys()));
  const made = await writeInSystemScope(deps.system, deps.clock.now(), async (system) => {
    await lockInstallation(system);
    const known = await findAccountByName(system, order.account);
    const accountId = known?.id ?? deps.ids.next();
    if (known === undefined) await insertAccount(system, { id: accountId, name: order.account });
    const userId = await upsertUser(system, {
      id: deps.ids.next(),
      email: order.ownerEmail,
      name: order.ownerEmail,
      passwordHash: order.ownerPasswordHash,
    });
    const scope = scopeOfAccount(system, accountId);
    const ownerId = await ensureOwner(scope, userId);
    const serverId = await ensureServer(deps, scope, order);
    for (const [index, name] of names.entries()) {
      const pair = pairs[index];
      if (pair !== undefined) await claimDomain(deps, scope, name, pair);
    }
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

/** Answers the names of the domains. */
function check(order: BootstrapOrder): readonly string[] {
  for (const [path, value] of [
    ['account', order.account],
    ['server', order.server],
  ] as const) {
    if (value.trim() === '' || value.length > 100) throw InvalidInput.at([path], 'must have 1 to 100 characters');
  }
  const owner = parseMailbox(order.ownerEmail);
  if (!owner.ok) throw InvalidInput.at(['owner-email'], owner.reason);
  return order.verifiedDomains.map((domain) => {
    // A domain is written as the part of an address that it will be.
    const parsed = parseMailbox(`postmaster@${domain}`);
    if (!parsed.ok) throw InvalidInput.at(['verified-domain'], `${domain}: ${parsed.reason}`);
    return parsed.mailbox.domain;
  });
}

async function ensureServer(deps: BootstrapDeps, scope: WriteScope, order: BootstrapOrder): Promise<string> {
  const known = await findServerByName(scope, order.server);
  if (known !== undefined) {
    if (known.deliveryType !== order.delivery) {
      throw new Conflict(`The server "${order.server}" is there with another kind of delivery, which cannot change.`);
    }
    return known.id;
  }
  const id = deps.ids.next();
  await insertServer(scope, {
    accountId: scope.accountId,
    id,
    name: order.server,
    color: 'BLUE',
    deliveryType: order.delivery,
    trackOpens: false,
    trackLinks: 'NONE',
    createdAt: scope.now,
    deletedAt: null,
    domainsLimited: false,
  });
  await insertDefaultStreams(scope, deps.ids, id);
  return id;
}

async function claimDomain(deps: BootstrapDeps, scope: WriteScope, name: string, pairs: KeyPairs): Promise<void> {
  if (!(await verifyOnWord(scope, deps.ids, name, sealKeys(deps, scope.accountId, pairs)))) {
    throw new Conflict(`Another account holds the domain ${name}.`);
  }
}
