// Adds a domain with two keys that are not yet used: they wait to be seen in DNS.
import { insertDkimKey } from '#/db/dkim-keys.ts';
import { countDomains, type DomainRow, insertDomain } from '#/db/domains.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Conflict, InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { identityName, returnPathName } from '#/domain/sender-identity/identity-name.ts';
import { MAX_DOMAINS } from '#/domain/sender-identity/rules.ts';
import { command } from '../define.ts';
import { makeKeys } from './make-keys.ts';

export interface AddDomainRequest {
  readonly accountId: string;
  readonly name: string;
  readonly returnPath: string | null;
}

export const addDomain = command({
  permission: 'domain.write',
  errors: [InvalidInput, Conflict, LimitReached, NotFound],
  audit: (_input: AddDomainRequest, { id, name, returnPath }: DomainRow) => ({
    action: 'domain.add',
    subjectIds: [encodeId('domain', id)],
    changes: { name, returnPath },
  }),
  async prepare({ deps, scope, fail }, input) {
    if (input.accountId !== scope.accountId) fail(new NotFound());
    return { ...checked(input), keys: await makeKeys(deps, scope.accountId) };
  },
  async run({ scope, inside, prepared, fail }) {
    const { name, returnPath, keys } = prepared;
    const domain: DomainRow = {
      accountId: scope.accountId,
      id: inside.ids.next(),
      name,
      returnPath,
      createdAt: scope.now,
      verifiedAt: null,
      verifiedBy: null,
      nextCheckAt: scope.now,
      lostSince: null,
      warnedAt: null,
    };
    if (!(await insertDomain(scope, domain))) fail(new Conflict(`The account has the domain ${name} already.`));
    if ((await countDomains(scope)) > MAX_DOMAINS) fail(new LimitReached('domains for an account', MAX_DOMAINS));
    for (const key of keys) await insertDkimKey(scope, { ...key, domainId: domain.id, createdAt: scope.now });
    return domain;
  },
});

function checked(input: AddDomainRequest): { readonly name: string; readonly returnPath: string | null } {
  const issues = collectIssues();
  const name = identityName(input.name);
  if (!name.ok) issues.add(['name'], name.reason);
  const returnPath = input.returnPath === null || !name.ok ? null : returnPathName(input.returnPath, name.name);
  if (returnPath?.ok === false) issues.add(['returnPath'], returnPath.reason);
  if (!name.ok || returnPath?.ok === false) throw new InvalidInput(issues.found);
  return { name: name.name, returnPath: returnPath?.name ?? null };
}
