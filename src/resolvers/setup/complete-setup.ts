// What the link does that the first start prints: it makes the owner of the first account, once, and begins a session.
import { findSetupByHash, hasOwner, lockInstallation, takeSetup } from '#/db/installation.ts';
import { insertMembership } from '#/db/memberships.ts';
import { scopeOfAccount } from '#/db/scope.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidCode, InvalidInput, WeakPassword } from '#/domain/errors.ts';
import { readAddress, readPersonName } from '#/domain/identity/person-input.ts';
import { encodeId } from '#/domain/ids.ts';
import { auditPerson, logPerson, openCommand } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import { guardLink } from '../passwords/guard-link.ts';
import { hashNewPassword } from '../passwords/hash-new-password.ts';
import { beginSession, type BegunSession, handToBrowser } from '../sign-in/begin-session.ts';
import { endBrowserSession } from '../sign-in/sign-in.ts';
import { makeIdentity } from '../sign-up/make-identity.ts';

export interface CompleteSetupRequest {
  readonly token: string;
  readonly email: string;
  readonly name: string;
  readonly password: string;
}

/** Whoever holds the link has it from the operator, who may know who signs in here. */
const KNOWN = 'signs in here already, and cannot be made the owner by this link';

export const completeSetup = openCommand({
  errors: [InvalidCode, WeakPassword, InvalidInput],
  async run({ deps, visitor, transaction, fail }, input: CompleteSetupRequest): Promise<BegunSession> {
    return guardLink(deps, visitor, async () => {
      const hash = (await findSetup(deps, input.token)) ?? fail(new InvalidCode());
      const issues = collectIssues();
      const email = readAddress('email', input.email, issues);
      const name = readPersonName(input.name, issues);
      if (issues.found.length > 0) fail(new InvalidInput(issues.found));
      const passwordHash = await hashNewPassword(deps, input.password, [email, name]);
      const made = await transaction(async (scope) => {
        await lockInstallation(scope);
        const accountId = (await takeSetup(scope, hash)) ?? fail(new InvalidCode());
        if (await hasOwner(scope.tx, accountId)) fail(new InvalidCode());
        const user = await makeIdentity(scope, deps.ids, { email, name, passwordHash });
        if (user === null) return fail(InvalidInput.at(['email'], KNOWN));
        await insertMembership(scopeOfAccount(scope, accountId), user.id, 'OWNER');
        await endBrowserSession(scope, visitor);
        const begun = await beginSession(scope, deps, visitor, user, { secondFactorShown: true });
        const identity = { userId: user.id, email, sessionId: begun.session.id };
        const subjectIds = [encodeId('account', accountId), encodeId('user', user.id)];
        const record = { action: 'installation.setUp', subjectIds };
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

/** The hash of a link that is good; null: it never was, was used, or another took its place. */
export async function findSetup(deps: Deps, secret: string): Promise<Buffer | null> {
  const hash = hashOfSecret(secret);
  const accountId = hash === null ? null : await findSetupByHash(deps.db, hash);
  return hash === null || accountId === null || (await hasOwner(deps.db, accountId)) ? null : hash;
}
