// After how many days the owner and admins of an account are reminded to rotate a token.
import type { AccountRow } from '#/db/accounts.ts';
import { setTokenReminderDays } from '#/db/api-tokens.ts';
import { InvalidInput, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { TOKEN_REMINDER_DAYS } from '#/domain/token-rules.ts';
import { command } from '../define.ts';

export interface TokenReminderRequest {
  readonly accountId: string;
  readonly days: number;
}

export const setTokenReminder = command({
  permission: 'accountToken.write',
  errors: [InvalidInput, NotFound],
  audit: ({ days }: TokenReminderRequest, { id }: AccountRow) => ({
    action: 'account.setTokenReminder',
    subjectIds: [encodeId('account', id)],
    changes: { tokenReminderDays: days },
  }),
  async run({ scope, fail }, { accountId, days }) {
    if (accountId !== scope.accountId) fail(new NotFound());
    const { min, max } = TOKEN_REMINDER_DAYS;
    if (days < min || days > max) fail(InvalidInput.at(['days'], `is not from ${min} to ${max}`));
    return (await setTokenReminderDays(scope, days)) ?? fail(new NotFound());
  },
});
