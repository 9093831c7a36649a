// One message.
import { findMessages } from '#/db/messages.ts';
import { NotFound } from '#/domain/errors.ts';
import { query } from '../define.ts';

export const getMessage = query({
  permission: 'message.read',
  errors: [NotFound],
  async run({ scope, deps, fail }, { id }: { readonly id: string }) {
    const [message] = await findMessages(scope, [id], deps.clock.now());
    return message ?? fail(new NotFound());
  },
});
