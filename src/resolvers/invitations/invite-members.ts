// Invites people to an account by mail, all of one request with the same rights. All are invited or none.
import { type AccountRow, lockAccount } from '#/db/accounts.ts';
import { countInvitations, insertInvitations, type InvitationRow, listInvited } from '#/db/invitations.ts';
import { countMembers, listMemberKeys } from '#/db/memberships.ts';
import type { WriteScope } from '#/db/scope.ts';
import { emailKeyOf } from '#/db/users.ts';
import { collectIssues, type Issues } from '#/domain/email/issues.ts';
import { parseMailbox } from '#/domain/email-address.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { MAX_INVITATIONS, MAX_INVITATIONS_AT_ONCE, MAX_MEMBERS } from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import type { AccountRole } from '#/domain/permissions.ts';
import { command } from '../define.ts';
import { checkGrants, type GrantRequest, grantsText } from '../members/check-grants.ts';
import { lockActor } from '../members/lock-members.ts';
import { makeOneTimeSecret, type OneTimeSecret } from '../one-time-secret.ts';
import { countAccountMails } from '../passwords/mail-guesses.ts';
import { invitationLetter, linkColumns } from './invitation.ts';

export interface InviteMembersRequest {
  readonly accountId: string;
  readonly emails: readonly string[];
  readonly role: AccountRole;
  readonly servers: readonly GrantRequest[];
}

interface Invitee {
  readonly email: string;
  readonly key: string;
  /** Where the address stands in the input. */
  readonly index: number;
  readonly link: OneTimeSecret;
}

interface InvitedMembers {
  readonly invitations: readonly InvitationRow[];
  readonly account: AccountRow;
}

/** Takes what a client sent. Whoever makes an admin, of the account or of a server, proves who they are. */
export function givesAdmin({
  role,
  servers,
}: {
  readonly role: unknown;
  readonly servers?: readonly { readonly level: unknown }[] | null | undefined;
}): boolean {
  return role !== 'MEMBER' || (servers ?? []).some(({ level }) => level === 'ADMIN');
}

export const inviteMembers = command({
  permission: 'member.write',
  errors: [InvalidInput, NotFound, LimitReached],
  stepUpFor: (input: InviteMembersRequest) => givesAdmin(input),
  audit: ({ role, servers }: InviteMembersRequest, { invitations }: InvitedMembers) => ({
    action: 'member.invite',
    subjectIds: invitations.map(({ id }) => encodeId('invitation', id)),
    changes: { emails: invitations.map(({ email }) => email), role, servers: grantsText(servers) },
  }),
  async prepare({ deps, scope, fail }, input): Promise<readonly Invitee[]> {
    if (input.accountId !== scope.accountId) fail(new NotFound());
    return checked(input).map((invitee) => ({ ...invitee, link: makeOneTimeSecret(deps.random) }));
  },
  async run({ scope, inside, caller: { actor }, prepared, fail }, { role, servers }): Promise<InvitedMembers> {
    const account = (await lockAccount(scope)) ?? fail(new NotFound());
    await lockActor(scope, actor, 'ADMIN');
    await checkGrants(scope, servers);
    await refuseKnown(scope, prepared);
    await checkLimits(scope, prepared.length);
    await countAccountMails(
      scope,
      prepared.map(({ email }) => email),
    );
    const invitations = prepared.map(
      ({ email, key, link }): InvitationRow => ({
        accountId: scope.accountId,
        id: inside.ids.next(),
        email,
        emailKey: key,
        role,
        invitedBy: actor.kind === 'USER' ? actor.userId : null,
        createdAt: scope.now,
        ...linkColumns(link, scope.now),
      }),
    );
    await insertInvitations(scope, invitations, servers);
    return { invitations, account };
  },
  async afterwards({ deps, caller, prepared }, _input, { invitations, account }) {
    const { publicUrl } = deps;
    const letters = invitations.flatMap((invitation, index) => {
      const secret = prepared[index]?.link.secret;
      const about = { invitation, accountName: account.name, inviter: caller.actor.label, publicUrl };
      return secret === undefined ? [] : [invitationLetter({ ...about, secret })];
    });
    await Promise.all(letters.map((letter) => deps.systemMail.send(deps, letter)));
  },
});

function checked({ emails, role, servers }: InviteMembersRequest): readonly Omit<Invitee, 'link'>[] {
  const issues = collectIssues();
  if (role === 'OWNER') issues.add(['role'], 'is OWNER: there is one, and the ownership is handed over');
  if (role === 'ADMIN' && servers.length > 0) issues.add(['servers'], 'must be empty: an ADMIN has every server');
  if (emails.length === 0) issues.add(['emails'], 'is empty');
  if (emails.length > MAX_INVITATIONS_AT_ONCE) {
    throw InvalidInput.at(['emails'], `has more than ${MAX_INVITATIONS_AT_ONCE} entries`);
  }
  // One mailbox is one invitation, however it is written.
  const invitees = new Map<string, Omit<Invitee, 'link'>>();
  emails.forEach((text, index) => {
    const email = checkAddress(text, index, issues);
    const key = email === null ? null : emailKeyOf(email);
    if (email !== null && key !== null && !invitees.has(key)) invitees.set(key, { email, key, index });
  });
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
  return [...invitees.values()];
}

function checkAddress(text: string, index: number, issues: Issues): string | null {
  const parsed = parseMailbox(text);
  if (!parsed.ok) issues.add(['emails', index], parsed.reason);
  else if (parsed.mailbox.name !== null) issues.add(['emails', index], 'has a name: give the address alone');
  else return parsed.mailbox.address;
  return null;
}

/** Only of this account: whether an address has an identity elsewhere is not looked at, and so cannot be told. */
async function refuseKnown(scope: WriteScope, invitees: readonly Invitee[]): Promise<void> {
  const keys = invitees.map(({ key }) => key);
  const members = new Set(await listMemberKeys(scope, keys));
  const invited = new Set(await listInvited(scope, keys));
  const issues = collectIssues();
  for (const { key, index } of invitees) {
    if (members.has(key)) issues.add(['emails', index], 'is a member already');
    else if (invited.has(key)) issues.add(['emails', index], 'is invited already: the mail can be sent again');
  }
  if (issues.found.length > 0) throw new InvalidInput(issues.found);
}

async function checkLimits(scope: WriteScope, more: number): Promise<void> {
  const open = (await countInvitations(scope)) + more;
  if (open > MAX_INVITATIONS) throw new LimitReached('invitations of an account may be open', MAX_INVITATIONS);
  if (open + (await countMembers(scope)) > MAX_MEMBERS) throw new LimitReached('members of an account', MAX_MEMBERS);
}
