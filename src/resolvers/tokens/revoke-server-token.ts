// Ends a token of a server at once. One that is dead already stays as it is, and is answered.
import { type TokenRow, updateToken } from '#/db/api-tokens.ts';
import { NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { isLive } from '#/domain/token-rules.ts';
import { command } from '../define.ts';
import { findServerTokenToChange } from './find-token-to-change.ts';

export const revokeServerToken = command({
  permission: 'serverToken.write',
  stepUp: true,
  errors: [NotFound],
  announces: ['tokens'],
  audit: (_input: { readonly id: string }, { id, hint, name }: TokenRow) => ({
    action: 'serverToken.revoke',
    subjectIds: [encodeId('token', id)],
    changes: { name, hint },
  }),
  async run({ scope, fail }, { id }) {
    const { token } = (await findServerTokenToChange(scope, id)) ?? fail(new NotFound());
    return isLive(token, scope.now) ? updateToken(scope, id, { revokedAt: scope.now }) : token;
  },
});
