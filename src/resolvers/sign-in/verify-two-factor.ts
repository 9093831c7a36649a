// The second step of signing in. Who was half signed in gets a session of its own, with a secret of its own: that of the
// half one is worth nothing from then on.
import { deleteSession, lockSession } from '#/db/sessions.ts';
import { lockUser } from '#/db/users.ts';
import { InvalidCode, Unauthenticated } from '#/domain/errors.ts';
import { Failed, personalCommand } from '../define-personal.ts';
import { factorGuessOf, isShown, type ShownFactor } from '../second-factor/shown-factor.ts';
import { type BegunSession, beginSession, handToBrowser } from './begin-session.ts';
import { refuseCookieOnSocket } from './cookie-on-socket.ts';
import { admitGuess, countFailure, forgiveGuesses, lockGuess } from './guesses.ts';
import { auditSignIn, logSignIn } from './record-sign-in.ts';
import { tellOfNewDevice } from './tell-of-new-device.ts';

export const verifyTwoFactor = personalCommand({
  state: 'SECOND_STEP',
  errors: [InvalidCode],
  announces: ['people'],
  // Written by `run`, with the session that it begins.
  audit: () => null,
  async prepare({ deps, visitor, person }) {
    refuseCookieOnSocket(visitor);
    const guess = await factorGuessOf(deps, visitor, person.userId);
    await admitGuess(deps, [guess]);
    const { secrets, publicUrl, log } = deps;
    return { guess, tools: { secrets, publicUrl, log } };
  },
  async run(
    { scope, inside, visitor, person, prepared },
    shown: ShownFactor,
  ): Promise<BegunSession | Failed<InvalidCode>> {
    const { guess, tools } = prepared;
    await lockGuess(scope, guess);
    const user = await lockUser(scope, person.userId);
    if (user?.disabledAt !== null || (await lockSession(scope, person.session.id)) === undefined) {
      throw new Unauthenticated('This session has ended.');
    }
    if (!(await isShown(scope, tools, person, shown))) {
      return new Failed(new InvalidCode(undefined, await countFailure(scope, [guess])));
    }
    await forgiveGuesses(scope, [guess]);
    await deleteSession(scope, person.userId, person.session.id);
    const begun = await beginSession(scope, inside, visitor, user, { secondFactorShown: true });
    await auditSignIn(scope, inside, visitor, begun, shown.kind);
    return begun;
  },
  async afterwards({ deps, visitor }, shown, begun) {
    logSignIn(deps, visitor, begun, shown.kind);
    handToBrowser(visitor, begun);
    tellOfNewDevice(deps, visitor, begun);
  },
});
