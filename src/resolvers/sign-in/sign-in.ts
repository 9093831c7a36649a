// Signs somebody in with address and password. Whether the address exists, the password is wrong, or the identity is
// disabled: the answer and its time are the same, and so is the pause after too many tries.
import type { SystemWriteScope } from '#/db/scope.ts';
import { deleteSession } from '#/db/sessions.ts';
import { InvalidCredentials } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { openCommand } from '../define-personal.ts';
import type { Visitor } from '../visitor.ts';
import { type BegunSession, beginSession, handToBrowser } from './begin-session.ts';
import { type ClaimRequest, settleClaim } from './claim.ts';
import { auditSignIn, logSignIn } from './record-sign-in.ts';
import { tellOfNewDevice } from './tell-of-new-device.ts';

export const signIn = openCommand({
  errors: [InvalidCredentials],
  async run({ deps, visitor, transaction, fail }, input: ClaimRequest): Promise<BegunSession> {
    const { settled: begun, userId } = await settleClaim(deps, visitor, input, transaction, async (scope, user) => {
      await endBrowserSession(scope, visitor);
      const session = await beginSession(scope, deps, visitor, user, { secondFactorShown: false });
      await auditSignIn(scope, deps, visitor, session, 'password');
      return session;
    });
    if (begun === null) {
      // Never what was typed: passwords end in the field of the address.
      const { requestId, ipAddress } = visitor;
      const who = userId === null ? null : encodeId('user', userId);
      deps.log.info({ userId: who, requestId, ipAddress }, 'a sign-in failed');
      return fail(new InvalidCredentials());
    }
    if (visitor.person !== null) deps.channel.nudge('people');
    logSignIn(deps, visitor, begun, 'password');
    handToBrowser(visitor, begun);
    tellOfNewDevice(deps, visitor, begun);
    return begun;
  },
});

/** The cookie of the one before is about to be overwritten: nobody could end it any more. */
export async function endBrowserSession(scope: SystemWriteScope, { person, cookies }: Visitor): Promise<void> {
  if (person?.byCookie === true && cookies !== null) await deleteSession(scope, person.userId, person.session.id);
}
