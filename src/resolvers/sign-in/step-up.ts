// A fresh proof of who somebody is: by the second factor, or by the password where there is none. The secret of a browser's
// session is renewed with it; docs/decisions/0014 tells why that of a program is not, unless it asks for it.
import { lockSession, type SessionRow, updateSession } from '#/db/sessions.ts';
import { hasTwoFactorMethod } from '#/db/two-factor-methods.ts';
import { lockUser } from '#/db/users.ts';
import { InvalidCode, InvalidCredentials, Unauthenticated } from '#/domain/errors.ts';
import { minutesAfter, PROOF_MINUTES } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { makeToken, SESSION_PREFIX } from '#/domain/token.ts';
import { Failed, personalCommand } from '../define-personal.ts';
import { compareCurrentPassword, guessOf, wrongPassword } from '../passwords/current-password.ts';
import { factorGuessOf, isShown, type ShownFactor } from '../second-factor/shown-factor.ts';
import { secretHashOf } from '../sessions/session-check.ts';
import { refuseCookieOnSocket } from './cookie-on-socket.ts';
import { admitGuess, countFailure, forgiveGuesses, lockGuess } from './guesses.ts';

export interface StepUpRequest {
  readonly shown: ShownFactor | { readonly kind: 'PASSWORD'; readonly password: string };
  /** Of a program; a browser's secret is renewed in any case. */
  readonly renewToken: boolean;
}

export interface SteppedUp {
  readonly until: Date;
  /** Null: as before. */
  readonly secret: string | null;
  readonly session: SessionRow;
}

export const stepUp = personalCommand({
  state: 'ENROLLING',
  errors: [InvalidCode, InvalidCredentials],
  audit: ({ shown }: StepUpRequest, { session }: SteppedUp) => ({
    action: 'session.stepUp',
    subjectIds: [encodeId('session', session.id)],
    changes: { by: shown.kind },
  }),
  async prepare({ deps, visitor, person, fail }, { shown }) {
    refuseCookieOnSocket(visitor);
    const { secrets, publicUrl, log } = deps;
    const tools = { secrets, publicUrl, log };
    if (shown.kind !== 'PASSWORD') {
      const guess = await factorGuessOf(deps, visitor, person.userId);
      await admitGuess(deps, [guess]);
      return { tools, guess, matched: null };
    }
    // Not even compared: a password alone must not do, and whether it is right is not told either.
    if (person.secondFactor)
      return fail(new InvalidCredentials('A password alone will not do: show your second factor.'));
    return {
      tools,
      guess: guessOf(person),
      matched: await compareCurrentPassword(deps, visitor, person, shown.password),
    };
  },
  async run({ scope, inside, person, prepared, fail }, { shown, renewToken }) {
    const { guess, tools, matched } = prepared;
    await lockGuess(scope, guess);
    const user = await lockUser(scope, person.userId);
    if (user === undefined || (await lockSession(scope, person.session.id)) === undefined) throw ended();
    if (shown.kind === 'PASSWORD') {
      // Changed, or a second factor was set up, since it was compared.
      const changed = user.passwordHash !== matched || (await hasTwoFactorMethod(scope, person.userId));
      if (changed) return fail(wrongPassword());
    } else if (!(await isShown(scope, tools, person, shown))) {
      return new Failed(new InvalidCode(undefined, await countFailure(scope, [guess])));
    }
    await forgiveGuesses(scope, [guess]);
    const secret =
      person.byCookie || renewToken ? makeToken(SESSION_PREFIX, (length) => inside.random.bytes(length)) : null;
    const session = await updateSession(scope, person.session.id, {
      provedAt: scope.now,
      ...(secret === null ? {} : { secretHash: secretHashOf(secret) }),
    });
    if (session === undefined) throw ended();
    return { until: minutesAfter(scope.now, PROOF_MINUTES), secret, session };
  },
  async afterwards({ visitor, person }, _input, { secret, session }) {
    if (person.byCookie && secret !== null) visitor.cookies?.startSession(secret, session.expiresAt);
  },
});

function ended(): Unauthenticated {
  return new Unauthenticated('This session has ended.');
}
