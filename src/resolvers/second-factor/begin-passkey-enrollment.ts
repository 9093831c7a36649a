// Begins to set up a passkey: a challenge, which waits with this session for the key's answer.
import { listTwoFactorMethods } from '#/db/two-factor-methods.ts';
import { personalCommand } from '../define-personal.ts';
import { keepChallenge } from './challenges.ts';
import { enrollmentOptions, makeChallenge } from './passkey.ts';
import { passkeysOf } from './shown-factor.ts';

export const beginPasskeyEnrollment = personalCommand({
  state: 'ENROLLING',
  stepUp: true,
  errors: [],
  audit: () => null,
  async prepare({ deps, person }) {
    const challenge = makeChallenge(deps.random);
    const known = passkeysOf(await listTwoFactorMethods(deps.db, [person.userId]));
    const options = await enrollmentOptions(deps.publicUrl, challenge, person, known);
    return { secrets: deps.secrets, challenge, options };
  },
  async run({ scope, person, prepared }, _input: null) {
    const { secrets, challenge, options } = prepared;
    await keepChallenge(scope, secrets, person.session.id, 'ENROLL_PASSKEY', challenge);
    return { options };
  },
});
