// Makes a token of the account.
import { countLiveTokens, lockAccountTokens } from '#/db/api-tokens.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { MAX_TOKENS } from '#/domain/token-rules.ts';
import { command } from '../define.ts';
import { checkWishes, type TokenWishes } from './check-order.ts';
import { type IssuedToken, issueToken } from './issue-token.ts';

export interface CreateAccountTokenRequest extends TokenWishes {
  readonly accountId: string;
}

export const createAccountToken = command({
  permission: 'accountToken.write',
  stepUp: true,
  errors: [InvalidInput, LimitReached, NotFound],
  audit: (_input: CreateAccountTokenRequest, { token }: IssuedToken) => ({
    action: 'accountToken.create',
    subjectIds: [encodeId('token', token.id)],
    changes: { name: token.name, hint: token.hint, allowedIps: token.allowedIps, expiresAt: token.expiresAt },
  }),
  async run({ scope, inside, fail }, input) {
    if (input.accountId !== scope.accountId) fail(new NotFound());
    const wishes = checkWishes(input, scope.now, () => undefined);
    await lockAccountTokens(scope);
    const { active } = await countLiveTokens(scope, null);
    if (active >= MAX_TOKENS) fail(new LimitReached('live tokens of an account', MAX_TOKENS));
    return issueToken(scope, inside, { ...wishes, accountId: scope.accountId, server: null, scopes: [] });
  },
});
