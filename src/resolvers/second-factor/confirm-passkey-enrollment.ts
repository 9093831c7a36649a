// Sets the passkey up with the key's answer to the challenge.
import { lockUser } from '#/db/users.ts';
import { InvalidCode, InvalidInput, LimitReached } from '#/domain/errors.ts';
import { Failed, personalCommand } from '../define-personal.ts';
import { addMethod, checkMethodName, enrolledRecord, type Enrolled, tellOfEnrolled } from './add-method.ts';
import { spendChallenge } from './challenges.ts';
import { enrolled } from './passkey.ts';

export interface ConfirmPasskeyRequest {
  /** What `navigator.credentials.create` gave, as JSON. */
  readonly response: unknown;
  readonly name: string | null;
}

export const confirmPasskeyEnrollment = personalCommand({
  state: 'ENROLLING',
  stepUp: true,
  errors: [InvalidCode, InvalidInput, LimitReached],
  announces: ['people'],
  audit: (_input: ConfirmPasskeyRequest, result: Enrolled) => enrolledRecord(result),
  prepare: async ({ deps: { secrets, publicUrl, log } }, { name }) => ({
    secrets,
    site: { publicUrl, log },
    name: checkMethodName(name, 'PASSKEY'),
  }),
  async run({ scope, inside, person, prepared }, { response }) {
    const { secrets, site, name } = prepared;
    await lockUser(scope, person.userId);
    const challenge = await spendChallenge(scope, secrets, person.session.id, 'ENROLL_PASSKEY');
    const key = challenge === null ? null : await enrolled(site, challenge, response);
    const result =
      key === null
        ? null
        : await addMethod(scope, inside, person, {
            kind: 'PASSKEY',
            name,
            secretEncrypted: null,
            usedStep: null,
            credentialId: key.credentialId,
            publicKey: key.publicKey,
            signCount: key.signCount,
            transports: [...key.transports],
          });
    // A challenge is good for one answer, also for a wrong one.
    return result ?? new Failed(new InvalidCode('The answer of this key does not fit, or the key is set up already.'));
  },
  afterwards: async ({ deps, person }, _input, result) => tellOfEnrolled(deps, person, result),
});
