// Asks DNS about all records of a domain now, and draws the conclusions.
import { listDkimKeys } from '#/db/dkim-keys.ts';
import { findDomain } from '#/db/domains.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { type Applied, applyObservations } from './apply-observations.ts';
import { observeDomain } from './observe-domain.ts';
import { warnOwners } from './warn-owners.ts';

export const verifyDomain = command({
  permission: 'domain.write',
  errors: [NotFound],
  announces: ['config'],
  audit: ({ id }: { readonly id: string }, { domain }: Applied) => ({
    action: 'domain.verify',
    subjectIds: [encodeId('domain', id)],
    changes: { verified: domain.verifiedAt !== null },
  }),
  async prepare({ deps, scope, fail }, { id }) {
    const domain = (await findDomain(scope, id)) ?? fail(new NotFound());
    return observeDomain(deps, domain, await listDkimKeys(scope, [id]));
  },
  run: async ({ scope, prepared, fail }, { id }) =>
    (await applyObservations(scope, id, prepared)) ?? fail(new NotFound()),
  afterwards: ({ deps }, _input, applied) => warnOwners(deps, applied),
});
