// Removes a sender signature: nothing is accepted from its address any more.
import { deleteSignature, lockSignature } from '#/db/sender-signatures.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';

export const removeSenderSignature = command({
  permission: 'domain.write',
  errors: [NotFound],
  announces: ['config'],
  audit: ({ id }: { readonly id: string }, { address }: { readonly id: string; readonly address: string }) => ({
    action: 'senderSignature.remove',
    subjectIds: [encodeId('signature', id)],
    changes: { address },
  }),
  async run({ scope, fail }, { id }) {
    const { address } = (await lockSignature(scope, id)) ?? fail(new NotFound());
    await deleteSignature(scope, id);
    return { id, address };
  },
});
