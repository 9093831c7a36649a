// Removes a domain with its keys. What waits in the queue in its name is not sent any more.
import { deleteDomain, lockDomain } from '#/db/domains.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const removeDomain = command({
  permission: 'domain.write',
  errors: [NotFound],
  announces: ['config'],
  audit: ({ id }: { readonly id: string }, { name }: { readonly id: string; readonly name: string }) => ({
    action: 'domain.remove',
    subjectIds: [encodeId('domain', id)],
    changes: { name },
  }),
  async run({ scope, fail }, { id }) {
    const domain = (await lockDomain(scope, id)) ?? fail(new NotFound());
    await deleteDomain(scope, domain);
    return { id, name: domain.name };
  },
});
