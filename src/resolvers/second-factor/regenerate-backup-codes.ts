// New backup codes in place of all that there were.
import { replaceBackupCodes } from '#/db/backup-codes.ts';
import { hasTwoFactorMethod } from '#/db/two-factor-methods.ts';
import { lockUser } from '#/db/users.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';
import { makeBackupCodes } from './backup-code-text.ts';
import { tellOfChange } from './tell-of-change.ts';

export interface NewBackupCodes {
  readonly userId: string;
  /** Shown this once. */
  readonly codes: readonly string[];
}

export const regenerateBackupCodes = personalCommand({
  state: 'SIGNED_IN',
  stepUp: true,
  errors: [],
  audit: (_input: null, made: NewBackupCodes | null) =>
    made === null ? null : { action: 'twoFactor.regenerateBackupCodes', subjectIds: [encodeId('user', made.userId)] },
  /** Null: there is no second factor that they could stand in for. */
  async run({ scope, inside, person: { userId } }) {
    await lockUser(scope, userId);
    if (!(await hasTwoFactorMethod(scope, userId))) return null;
    const { codes, hashes } = makeBackupCodes(inside.random);
    await replaceBackupCodes(scope, userId, hashes);
    return { userId, codes };
  },
  async afterwards({ deps, person }, _input, made) {
    if (made !== null) {
      tellOfChange(deps, person.email, `New backup codes were made for ${person.email}; those from before are void.`);
    }
  },
});
