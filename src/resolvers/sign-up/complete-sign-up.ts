// What the mailed link of a sign-up does: it makes an identity and an account that it owns, and begins a session.
import { insertAccount } from '#/db/installation.ts';
import { insertMembership } from '#/db/memberships.ts';
import { findLink, type OneTimeLinkRow, takeLink } from '#/db/one-time-links.ts';
import { scopeOfAccount } from '#/db/scope.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { Forbidden, InvalidCode, InvalidInput, WeakPassword } from '#/domain/errors.ts';
import { readAccountName, readPersonName } from '#/domain/identity/person-input.ts';
import { encodeId } from '#/domain/ids.ts';
import { auditPerson, logPerson, openCommand } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import { guardLink } from '../passwords/guard-link.ts';
import { hashNewPassword } from '../passwords/hash-new-password.ts';
import { beginSession, type BegunSession, handToBrowser } from '../sign-in/begin-session.ts';
import { endBrowserSession } from '../sign-in/sign-in.ts';
import { makeIdentity } from './make-identity.ts';
import { SIGN_UP_OFF } from './request-sign-up.ts';

export interface CompleteSignUpRequest {
  readonly token: string;
  readonly name: string;
  readonly password: string;
  readonly accountName: string;
}

export const completeSignUp = openCommand({
  errors: [InvalidCode, WeakPassword, InvalidInput],
  async run({ deps, visitor, transaction, fail }, input: CompleteSignUpRequest): Promise<BegunSession> {
    if (!deps.signUp) throw new Forbidden(SIGN_UP_OFF);
    return guardLink(deps, visitor, async () => {
      const { hash, link } = (await findOpenLink(deps, input.token)) ?? fail(new InvalidCode());
      const { email } = link;
      const issues = collectIssues();
      const name = readPersonName(input.name, issues);
      const accountName = readAccountName(input.accountName, issues);
      if (issues.found.length > 0) fail(new InvalidInput(issues.found));
      const passwordHash = await hashNewPassword(deps, input.password, [email, name, accountName]);
      const made = await transaction(async (scope) => {
        if ((await takeLink(scope, 'SIGN_UP', hash)) === undefined) fail(new InvalidCode());
        // The address has got an identity since the link was mailed.
        const user = (await makeIdentity(scope, deps.ids, { email, name, passwordHash })) ?? fail(new InvalidCode());
        const accountId = deps.ids.next();
        await insertAccount(scope, { id: accountId, name: accountName });
        await insertMembership(scopeOfAccount(scope, accountId), user.id, 'OWNER');
        await endBrowserSession(scope, visitor);
        const begun = await beginSession(scope, deps, visitor, user, { secondFactorShown: true });
        const identity = { userId: user.id, email, sessionId: begun.session.id };
        const subjectIds = [encodeId('account', accountId), encodeId('user', user.id)];
        const record = { action: 'account.signUp', subjectIds, changes: { name: accountName } };
        await auditPerson(scope, deps.ids, identity, visitor, record);
        return { begun, identity, record };
      });
      logPerson(deps, made.identity, visitor, made.record);
      // The session that the browser had before has ended.
      deps.channel.nudge('people');
      handToBrowser(visitor, made.begun);
      return made.begun;
    });
  },
});

/** The address that the link was mailed to; null when it is not, or no longer, good. */
export async function findSignUp(deps: Deps, secret: string): Promise<{ readonly email: string } | null> {
  return deps.signUp ? ((await findOpenLink(deps, secret))?.link ?? null) : null;
}

async function findOpenLink(
  deps: Deps,
  secret: string,
): Promise<{ readonly hash: Buffer; readonly link: OneTimeLinkRow } | null> {
  const hash = hashOfSecret(secret);
  const link = hash === null ? undefined : await findLink(deps.db, 'SIGN_UP', hash, deps.clock.now());
  return hash === null || link === undefined ? null : { hash, link };
}
