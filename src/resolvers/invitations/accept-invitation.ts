// Makes whoever holds the link of an invitation a member, as the identity of the address that it was sent to: a new one,
// the one that is signed in, or one that proves itself by its password. Where that has a second factor the membership is
// made all the same, and is of no use before the factor was shown: until then the session may do nothing.
import { findInvitationBySecret, type InvitationRow, lockInvitationBySecret } from '#/db/invitations.ts';
import type { SystemWriteScope } from '#/db/scope.ts';
import { emailKeyOf, findUserByEmail, lockUser, type UserRow } from '#/db/users.ts';
import { collectIssues } from '#/domain/email/issues.ts';
import { InvalidCode, InvalidInput, TwoFactorEnrollmentRequired, WeakPassword } from '#/domain/errors.ts';
import { readPersonName } from '#/domain/identity/person-input.ts';
import type { Person } from '#/domain/person.ts';
import { openCommand } from '../define-personal.ts';
import type { Deps } from '../deps.ts';
import { hashOfSecret } from '../one-time-secret.ts';
import { guardLink } from '../passwords/guard-link.ts';
import { hashNewPassword } from '../passwords/hash-new-password.ts';
import { type BegunSession, beginSession, handToBrowser } from '../sign-in/begin-session.ts';
import { settleClaim } from '../sign-in/claim.ts';
import { refuseCookieOnSocket } from '../sign-in/cookie-on-socket.ts';
import { auditSignIn } from '../sign-in/record-sign-in.ts';
import { endBrowserSession } from '../sign-in/sign-in.ts';
import { tellOfNewDevice } from '../sign-in/tell-of-new-device.ts';
import { makeIdentity } from '../sign-up/make-identity.ts';
import type { Visitor } from '../visitor.ts';
import { join, recordJoined } from './join.ts';
import { renewSession } from './renew-session.ts';

export interface AcceptInvitationRequest {
  readonly token: string;
  readonly name: string | null;
  readonly password: string | null;
}

interface Link {
  readonly hash: Buffer;
  readonly invitation: InvitationRow & { readonly accountName: string };
}

interface Acceptance {
  readonly deps: Deps;
  readonly visitor: Visitor;
  readonly link: Link;
  readonly input: AcceptInvitationRequest;
  transaction<T>(run: (scope: SystemWriteScope) => Promise<T>): Promise<T>;
}

const NEEDED = 'is needed: an identity of this address is there already. Give its password, or sign in first';

export const acceptInvitation = openCommand({
  errors: [InvalidCode, WeakPassword, InvalidInput],
  run: ({ deps, visitor, transaction, fail }, input: AcceptInvitationRequest): Promise<BegunSession> =>
    guardLink(deps, visitor, async () => {
      const link = (await lookUp(deps, input.token)) ?? fail(new InvalidCode());
      const acceptance: Acceptance = { deps, visitor, link, input, transaction };
      const person = signedInAs(visitor, link);
      const known = person === null ? await findUserByEmail(deps.db, link.invitation.email) : undefined;
      const begun =
        person !== null
          ? await acceptSignedIn(acceptance, person)
          : await (known === undefined ? acceptAsNew(acceptance) : acceptByPassword(acceptance));
      recordJoined(deps, visitor, begun, link.invitation);
      deps.channel.nudge('people');
      handToBrowser(visitor, begun);
      tellOfNewDevice(deps, visitor, begun);
      return begun;
    }),
});

async function lookUp(deps: Deps, token: string): Promise<Link | null> {
  const hash = hashOfSecret(token);
  const invitation = hash === null ? undefined : await findInvitationBySecret(deps.db, hash, deps.clock.now());
  return hash === null || invitation === undefined ? null : { hash, invitation };
}

/** Null: nobody is, or not completely. Somebody else's link is no link. */
function signedInAs({ person }: Visitor, { invitation }: Link): Person | null {
  if (person === null || person.requirement === 'VERIFY_TWO_FACTOR') return null;
  if (emailKeyOf(person.email) !== invitation.emailKey) throw new InvalidCode();
  if (person.requirement !== null) throw new TwoFactorEnrollmentRequired();
  return person;
}

/** Under the link's lock: of several who use it at once, one joins. */
async function take(scope: SystemWriteScope, { hash }: Link): Promise<InvitationRow> {
  const invitation = await lockInvitationBySecret(scope, hash);
  if (invitation === undefined) throw new InvalidCode();
  return invitation;
}

function acceptSignedIn({ deps, visitor, link, transaction }: Acceptance, person: Person): Promise<BegunSession> {
  refuseCookieOnSocket(visitor);
  return transaction(async (scope) => {
    const invitation = await take(scope, link);
    const user = await lockUser(scope, person.userId);
    // The address may have been changed since the request began.
    if (user?.emailKey !== invitation.emailKey) throw new InvalidCode();
    const record = await join(scope, invitation, user);
    const begun = await renewSession(scope, deps, person);
    await record(deps.ids, visitor, begun);
    return begun;
  });
}

async function acceptAsNew({ deps, visitor, link, input, transaction }: Acceptance): Promise<BegunSession> {
  const { email, accountName } = link.invitation;
  const issues = collectIssues();
  const name = readPersonName(input.name ?? '', issues);
  if (input.password === null) issues.add(['password'], 'is needed: choose one');
  if (input.password === null || issues.found.length > 0) throw new InvalidInput(issues.found);
  const passwordHash = await hashNewPassword(deps, input.password, [email, name, accountName]);
  return transaction(async (scope) => {
    const invitation = await take(scope, link);
    const user = await makeIdentity(scope, deps.ids, { email, name, passwordHash });
    // Made meanwhile, by another way.
    if (user === null) throw InvalidInput.at(['password'], NEEDED);
    return enter(scope, { deps, visitor }, invitation, user);
  });
}

async function acceptByPassword({ deps, visitor, link, input, transaction }: Acceptance): Promise<BegunSession> {
  const { password } = input;
  if (password === null) throw InvalidInput.at(['password'], NEEDED);
  const claim = { email: link.invitation.email, password };
  const { settled } = await settleClaim(deps, visitor, claim, transaction, async (scope, user) =>
    enter(scope, { deps, visitor }, await take(scope, link), user),
  );
  if (settled === null) throw InvalidInput.at(['password'], 'is not right');
  return settled;
}

/** Joins and signs in. */
async function enter(
  scope: SystemWriteScope,
  { deps, visitor }: Pick<Acceptance, 'deps' | 'visitor'>,
  invitation: InvitationRow,
  user: UserRow,
): Promise<BegunSession> {
  const record = await join(scope, invitation, user);
  await endBrowserSession(scope, visitor);
  const begun = await beginSession(scope, deps, visitor, user, { secondFactorShown: false });
  await record(deps.ids, visitor, begun);
  await auditSignIn(scope, deps, visitor, begun, 'password');
  return begun;
}
