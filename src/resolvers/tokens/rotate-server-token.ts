// Puts a new token of a server in the place of one.
import { Conflict, InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { command } from '../define.ts';
import { findServerTokenToChange } from './find-token-to-change.ts';
import { replaceToken, type RotatedToken, type RotateTokenRequest } from './replace-token.ts';

export const rotateServerToken = command({
  permission: 'serverToken.write',
  stepUp: true,
  errors: [NotFound, Conflict, InvalidInput],
  announces: ['tokens'],
  audit: (_input: RotateTokenRequest, { token, previous }: RotatedToken) => ({
    action: 'serverToken.rotate',
    subjectIds: [encodeId('token', previous.id), encodeId('token', token.id)],
    changes: { previous: { hint: previous.hint, expiresAt: previous.expiresAt }, hint: token.hint },
  }),
  async run({ scope, inside, fail }, { id, overlapSeconds }) {
    const { token, server } = (await findServerTokenToChange(scope, id)) ?? fail(new NotFound());
    const home = { id: server.id, sandbox: server.deliveryType === 'SANDBOX' };
    return replaceToken(scope, inside, token, home, overlapSeconds);
  },
});
