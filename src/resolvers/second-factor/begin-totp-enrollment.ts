// Begins to set up an authenticator app: makes a secret, which waits with this session for its first code.
import { personalCommand } from '../define-personal.ts';
import { keepChallenge } from './challenges.ts';
import { makeTotpSecret, totpShown } from './totp.ts';

export const beginTotpEnrollment = personalCommand({
  state: 'ENROLLING',
  stepUp: true,
  errors: [],
  audit: () => null,
  prepare: async ({ deps }) => ({ secrets: deps.secrets }),
  async run({ scope, inside, person, prepared }, _input: null) {
    const secret = makeTotpSecret(inside.random);
    await keepChallenge(scope, prepared.secrets, person.session.id, 'ENROLL_TOTP', secret);
    return totpShown(secret, person.email);
  },
});
