// Changes how a server takes inbound mail. An absent field stays, null clears, a value sets.
import {
  claimInboundDomain,
  giveInboundSecret,
  releaseInboundDomain,
  upsertInboundSettings,
} from '#/db/inbound-settings.ts';
import { parentsOf } from '#/db/incoming-addresses.ts';
import { findServer, lockServer, type ServerRow } from '#/db/servers.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { inboundDomainName, SPAM_THRESHOLD, webhookUrl } from '#/domain/inbound.ts';
import { inboundSecretPurpose, inboundTarget } from '#/domain/webhooks/inbound-call.ts';
import { makeSecret } from '#/domain/webhooks/signature.ts';
import { command } from '../define.ts';

export interface UpdateInboundRequest {
  readonly serverId: string;
  readonly domain?: string | null | undefined;
  readonly url?: string | null | undefined;
  readonly spamThreshold?: number | null | undefined;
}

interface Changes {
  domain?: string | null;
  url?: string | null;
  spamThreshold?: number | null;
}

export const updateInbound = command({
  permission: 'inboundSettings.write',
  errors: [InvalidInput, Conflict, NotFound],
  announces: ['config', 'inbound'],
  audit: ({ serverId, domain, url, spamThreshold }: UpdateInboundRequest) => ({
    action: 'inbound.update',
    subjectIds: [encodeId('server', serverId)],
    // The address may hold a password: where it leads is enough.
    changes: { domain, spamThreshold, ...(url === undefined ? {} : { host: url === null ? null : hostOf(url) }) },
  }),
  async prepare({ deps, scope, fail }, input) {
    const changes = checked(input);
    if (typeof changes.url === 'string') {
      // Before the world is asked for a name: who has nothing to do with the server learns nothing by it.
      if ((await findServer(scope, input.serverId)) === undefined) fail(new NotFound());
      const flaw = await deps.http.flawOf(inboundTarget(changes.url).url);
      if (flaw !== null) fail(InvalidInput.at(['url'], flaw));
    }
    const key = { accountId: scope.accountId, serverId: input.serverId };
    const secret = Buffer.from(makeSecret((length) => deps.random.bytes(length)));
    const sealed = deps.secrets.seal(secret, inboundSecretPurpose(key));
    return { changes, sealed, mailHost: deps.mailHost };
  },
  async run({ scope, prepared, fail }, { serverId }): Promise<ServerRow> {
    const server = (await lockServer(scope, serverId)) ?? fail(new NotFound());
    const { domain, ...changes } = prepared.changes;
    if (domain === null) await releaseInboundDomain(scope, serverId);
    if (typeof domain === 'string') {
      const base = domain.replace(/^\*\./, '');
      const names = [base, ...parentsOf(base)];
      if (base === prepared.mailHost || !(await claimInboundDomain(scope, serverId, domain, names)))
        fail(new Conflict(`${domain} is in use: another server has it, or another account has verified it.`));
    }
    if (Object.keys(changes).length > 0) await upsertInboundSettings(scope, serverId, changes);
    if (typeof changes.url === 'string') await giveInboundSecret(scope, serverId, prepared.sealed);
    return server;
  },
});

function checked({ domain, url, spamThreshold }: UpdateInboundRequest): Changes {
  const issues = collectIssues();
  const changes: Changes = {};
  const texts = [
    ['domain', domain, inboundDomainName],
    ['url', url, webhookUrl],
  ] as const;
  for (const [field, value, check] of texts) {
    if (value === null) changes[field] = null;
    if (typeof value !== 'string') continue;
    const read = check(value);
    if (read.ok) changes[field] = read.value;
    else issues.add([field], read.reason);
  }
  if (spamThreshold !== undefined) {
    const { min, max } = SPAM_THRESHOLD;
    if (spamThreshold !== null && !(spamThreshold >= min && spamThreshold <= max))
      issues.add(['spamThreshold'], `is not ${min} to ${max}`);
    changes.spamThreshold = spamThreshold;
  }
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return changes;
}

function hostOf(url: string): string | null {
  return URL.parse(url)?.host ?? null;
}
