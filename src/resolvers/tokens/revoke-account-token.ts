// Ends a token of the account at once. One that is dead already stays as it is, and is answered.
import { type TokenRow, updateToken } from '#/db/api-tokens.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { isLive } from '#/domain/token-rules.ts';
import { command } from '../define.ts';
import { findAccountTokenToChange } from './find-token-to-change.ts';

export const revokeAccountToken = command({
  permission: 'accountToken.write',
  stepUp: true,
  errors: [NotFound],
  announces: ['tokens'],
  audit: (_input: { readonly id: string }, { id, hint, name }: TokenRow) => ({
    action: 'accountToken.revoke',
    subjectIds: [encodeId('token', id)],
    changes: { name, hint },
  }),
  async run({ scope, fail }, { id }) {
    const token = (await findAccountTokenToChange(scope, id)) ?? fail(new NotFound());
    return isLive(token, scope.now) ? updateToken(scope, id, { revokedAt: scope.now }) : token;
  },
});
