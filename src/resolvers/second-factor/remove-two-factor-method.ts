// Removes one of somebody's second factors. The last one stays while an account of theirs demands that they have one, and
// with staff of the installation, who always need one.
import { deleteBackupCodes } from '#/db/backup-codes.ts';
import {
  deleteTwoFactorMethod,
  isTwoFactorDemanded,
  lockTwoFactorMethods,
  type TwoFactorMethodRow,
} from '#/db/two-factor-methods.ts';
import { lockUser, type UserRow } from '#/db/users.ts';
import { Conflict, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';
import { tellOfChange } from './tell-of-change.ts';

export interface RemovedMethod {
  readonly method: TwoFactorMethodRow;
  readonly user: Pick<UserRow, 'id' | 'name' | 'email'> & { readonly secondFactor: boolean };
}

export const removeTwoFactorMethod = personalCommand({
  state: 'SIGNED_IN',
  stepUp: true,
  errors: [NotFound, Conflict],
  announces: ['people'],
  audit: (_input: { readonly id: string }, { method }: RemovedMethod) => ({
    action: 'twoFactor.remove',
    subjectIds: [encodeId('factor', method.id)],
    changes: { kind: method.kind, name: method.name },
  }),
  async run({ scope, person, fail }, { id }) {
    const user = (await lockUser(scope, person.userId)) ?? fail(new NotFound());
    const methods = await lockTwoFactorMethods(scope, user.id);
    const method = methods.find((known) => known.id === id) ?? fail(new NotFound());
    const last = methods.length === 1;
    if (last && (user.staff || (await isTwoFactorDemanded(scope, user.id)))) {
      fail(new Conflict('A second factor is demanded of you: add another one before you remove the last.'));
    }
    await deleteTwoFactorMethod(scope, user.id, id);
    if (last) await deleteBackupCodes(scope, user.id);
    return { method, user: { id: user.id, name: user.name, email: user.email, secondFactor: !last } };
  },
  async afterwards({ deps, person }, _input, { method, user }) {
    const rest = user.secondFactor ? '' : ' There is none left: the password alone signs in.';
    tellOfChange(deps, person.email, `The second factor “${method.name}” was removed from ${person.email}.${rest}`);
  },
});
