// Begins the rotation of a domain's keys: new ones that wait to be seen in DNS, while the current ones go on signing.
import { insertDkimKey, listDkimKeys } from '#/db/dkim-keys.ts';
import { type DomainRow, findDomain, lockDomain, updateDomain } from '#/db/domains.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { makeKeys } from './make-keys.ts';

export const rotateDkimKey = command({
  permission: 'domain.write',
  errors: [NotFound, Conflict],
  audit: ({ id }: { readonly id: string }, _domain: DomainRow) => ({
    action: 'domain.rotateDkimKey',
    subjectIds: [encodeId('domain', id)],
  }),
  async prepare({ deps, scope, fail }, { id }) {
    if ((await findDomain(scope, id)) === undefined) fail(new NotFound());
    return makeKeys(deps, scope.accountId);
  },
  async run({ scope, prepared, fail }, { id }) {
    if ((await lockDomain(scope, id)) === undefined) fail(new NotFound());
    const keys = await listDkimKeys(scope, [id]);
    const has = (state: string, algorithm: string) =>
      keys.some((key) => key.state === state && key.algorithm === algorithm);
    const next = prepared.filter(({ algorithm }) => has('CURRENT', algorithm));
    if (next.length === 0) fail(new Conflict('No key of the domain is in use yet: publish the records it has.'));
    if (next.some(({ algorithm }) => has('PENDING', algorithm))) {
      fail(new Conflict('A rotation is under way: it ends when the new records are seen in DNS.'));
    }
    for (const key of next) await insertDkimKey(scope, { ...key, domainId: id, createdAt: scope.now });
    return updateDomain(scope, id, { nextCheckAt: scope.now });
  },
});
