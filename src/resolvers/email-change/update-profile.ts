// Changes the name that others see.
import { lockUser, updateUser } from '#/db/users.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidInput } from '#/domain/errors.ts';
import { readPersonName } from '#/domain/identity/person-input.ts';
import { encodeId } from '#/domain/ids.ts';
import { personalCommand } from '../define-personal.ts';

interface Renamed {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly secondFactor: boolean;
  readonly before: string;
}

export const updateProfile = personalCommand({
  state: 'SIGNED_IN',
  errors: [InvalidInput],
  audit: (_input: { readonly name: string }, { id, before, name }: Renamed) =>
    before === name
      ? null
      : { action: 'user.updateProfile', subjectIds: [encodeId('user', id)], changes: { name: [before, name] } },
  async run({ scope, person, fail }, input) {
    const issues = collectIssues();
    const name = readPersonName(input.name, issues);
    if (issues.found.length > 0) fail(new InvalidInput(issues.found));
    const user = await lockUser(scope, person.userId);
    if (user === undefined) throw new Error('a session without its user');
    await updateUser(scope, user.id, { name });
    return { id: user.id, name, email: user.email, secondFactor: person.secondFactor, before: user.name };
  },
});
