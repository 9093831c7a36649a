// Puts a new token of the account in the place of one.
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { findAccountTokenToChange } from './find-token-to-change.ts';
import { replaceToken, type RotatedToken, type RotateTokenRequest } from './replace-token.ts';

export const rotateAccountToken = command({
  permission: 'accountToken.write',
  stepUp: true,
  errors: [NotFound, Conflict, InvalidInput],
  announces: ['tokens'],
  audit: (_input: RotateTokenRequest, { token, previous }: RotatedToken) => ({
    action: 'accountToken.rotate',
    subjectIds: [encodeId('token', previous.id), encodeId('token', token.id)],
    changes: { previous: { hint: previous.hint, expiresAt: previous.expiresAt }, hint: token.hint },
  }),
  async run({ scope, inside, fail }, { id, overlapSeconds }) {
    const token = (await findAccountTokenToChange(scope, id)) ?? fail(new NotFound());
    return replaceToken(scope, inside, token, null, overlapSeconds);
  },
});
