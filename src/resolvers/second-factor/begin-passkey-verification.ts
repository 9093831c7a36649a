// A challenge for the passkeys that somebody has set up: for the second step of signing in, and for a fresh proof.
import { listTwoFactorMethods } from '#/db/two-factor-methods.ts';
import { personalCommand } from '../define-personal.ts';
import { keepChallenge } from './challenges.ts';
import { makeChallenge, verificationOptions } from './passkey.ts';
import { passkeysOf } from './shown-factor.ts';

export const beginPasskeyVerification = personalCommand({
  state: 'ANY',
  errors: [],
  audit: () => null,
  async prepare({ deps, person }) {
    const challenge = makeChallenge(deps.random);
    const known = passkeysOf(await listTwoFactorMethods(deps.db, [person.userId]));
    if (known.length === 0) return null;
    const options = await verificationOptions(deps.publicUrl, challenge, known);
    return { secrets: deps.secrets, challenge, options };
  },
  /** Null: they have none. */
  async run({ scope, person, prepared }, _input: null) {
    if (prepared === null) return null;
    const { secrets, challenge, options } = prepared;
    await keepChallenge(scope, secrets, person.session.id, 'VERIFY_PASSKEY', challenge);
    return { options };
  },
});
