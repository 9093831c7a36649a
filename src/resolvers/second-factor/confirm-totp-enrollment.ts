// Sets the authenticator app up: its first code shows that it has the secret.
import { lockUser } from '#/db/users.ts';
import { InvalidCode, InvalidInput, LimitReached } from '#/domain/errors.ts';
import { personalCommand } from '../define-personal.ts';
import { addMethod, checkMethodName, enrolledRecord, type Enrolled, tellOfEnrolled } from './add-method.ts';
import { spendChallenge } from './challenges.ts';
import { stepOf, totpPurpose } from './totp.ts';

export interface ConfirmTotpRequest {
  readonly code: string;
  readonly name: string | null;
}

export const confirmTotpEnrollment = personalCommand({
  state: 'ENROLLING',
  stepUp: true,
  errors: [InvalidCode, InvalidInput, LimitReached],
  announces: ['people'],
  audit: (_input: ConfirmTotpRequest, enrolled: Enrolled) => enrolledRecord(enrolled),
  prepare: async ({ deps }, { name }) => ({ secrets: deps.secrets, name: checkMethodName(name, 'TOTP') }),
  async run({ scope, inside, person, prepared, fail }, { code }) {
    const { secrets, name } = prepared;
    await lockUser(scope, person.userId);
    const secret = await spendChallenge(scope, secrets, person.session.id, 'ENROLL_TOTP');
    const step = secret === null ? null : stepOf(secret, code, scope.now, null);
    // What fails undoes: the secret waits for another try.
    if (secret === null || step === null) return fail(new InvalidCode());
    const enrolled = await addMethod(scope, inside, person, {
      kind: 'TOTP',
      name,
      secretEncrypted: secrets.seal(secret, totpPurpose(person.userId)),
      // The code that sets it up does not also sign in.
      usedStep: step,
      credentialId: null,
      publicKey: null,
      signCount: null,
      transports: [],
    });
    return enrolled ?? fail(new InvalidCode());
  },
  afterwards: async ({ deps, person }, _input, enrolled) => tellOfEnrolled(deps, person, enrolled),
});
