// Invitations to an account.
import { type InvitationRow, listInvitations } from '#/db/invitations.ts';
import {
  INVITATION_DAYS,
  MAX_INVITATIONS,
  MAX_INVITATIONS_AT_ONCE,
  MAX_MEMBERS,
  MAX_PERSON_NAME,
} from '#/domain/identity/rules.ts';
import { encodeId } from '#/domain/ids.ts';
import { ADVISED_CHARACTERS, MAX_CHARACTERS, MIN_CHARACTERS } from '#/domain/password/password-rules.ts';
import { acceptInvitation } from '#/resolvers/invitations/accept-invitation.ts';
import { givesAdmin, inviteMembers } from '#/resolvers/invitations/invite-members.ts';
import { resendInvitation } from '#/resolvers/invitations/resend-invitation.ts';
import { revokeInvitation } from '#/resolvers/invitations/revoke-invitation.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { visitorOf, within } from './context.ts';
import { PASSWORD_COST } from './costs.ts';
import { resultUnion } from './errors.ts';
import { onAccount, onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { Deleted, IdInput } from './inputs.ts';
import { loadersOf } from './loaders.ts';
import { callerAt } from './locate.ts';
import { grantsOf, membershipOf, ServerGrantInput } from './members.ts';
import { AccountRole, ServerAccess } from './membership.ts';
import { SignedIn } from './signed-in.ts';
import { User } from './user.ts';

const Invitation = builder.objectRef<InvitationRow>('Invitation').implement({
  description: 'An invitation that waits for an answer. It is bound to its address and used once.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, inv_….', resolve: ({ id }) => encodeId('invitation', id) }),
    email: t.exposeString('email', { description: 'The address that it was sent to.' }),
    role: t.field({ type: AccountRole, description: 'What the invited will be.', resolve: ({ role }) => role }),
    servers: t.field({
      type: [ServerAccess],
      description: 'Grants that a MEMBER will have.',
      resolve: async (row, _args, context) => [...(await loadersOf(context, row).grantsOfInvitation.load(row.id))],
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it ends by itself.' }),
    sentAt: t.expose('sentAt', { type: 'DateTime', description: 'When it was mailed last.' }),
    invitedBy: t.field({
      type: User,
      nullable: true,
      description: 'Who has sent it; null when they are no member any more.',
      resolve: async (row, _args, context) => {
        const member = row.invitedBy === null ? null : await loadersOf(context, row).member.load(row.invitedBy);
        return member === null ? null : membershipOf(member).user;
      },
    }),
  }),
});

builder.objectField(Account, 'invitations', (t) =>
  t.withAuth(onAccount('member.write')).field({
    type: [Invitation],
    description: guarded('member.write', `Invitations that are open, oldest first; at most ${MAX_INVITATIONS}.`),
    resolve: ({ id }, _args, context) => listInvitations(within(context, id).scope, context.deps.clock.now()),
  }),
);

const InviteMembersInput = builder.inputType('InviteMembersInput', {
  description: 'Whom to invite, all with the same rights. All are invited or none.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account.' }),
    emails: t.stringList({
      description: `1 to ${MAX_INVITATIONS_AT_ONCE} addresses. One that is written twice, in whatever case, is invited once.`,
    }),
    role: t.field({ type: AccountRole, description: 'ADMIN or MEMBER.' }),
    servers: t.field({
      type: [ServerGrantInput],
      required: false,
      description: 'Grants of a MEMBER; none unless given. An ADMIN has every server.',
    }),
  }),
});

const AcceptInvitationInput = builder.inputType('AcceptInvitationInput', {
  description: 'The answer to an invitation.',
  fields: (t) => ({
    token: t.string({ description: 'From the link.' }),
    name: t.string({
      required: false,
      description: `Needed where the address has no identity yet; 1 to ${MAX_PERSON_NAME} characters.`,
    }),
    password: t.string({
      required: false,
      description: `Where the address has no identity yet, the one it gets: ${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters, better ${ADVISED_CHARACTERS} or more. Where it has one, that one's; not needed by who is signed in as it.`,
    }),
  }),
});

const InvitedMembers = builder
  .objectRef<{ readonly invitations: readonly InvitationRow[] }>('InvitedMembers')
  .implement({
    description: 'They have been invited.',
    fields: (t) => ({
      invitations: t.field({
        type: [Invitation],
        description: 'One for each address.',
        resolve: ({ invitations }) => [...invitations],
      }),
    }),
  });

const InviteMembersResult = resultUnion(
  'InviteMembersResult',
  InvitedMembers,
  inviteMembers,
  'The invitations, or why there is none.',
);
const ResendInvitationResult = resultUnion(
  'ResendInvitationResult',
  Invitation,
  resendInvitation,
  'The invitation, or why no mail was sent.',
);
const RevokeInvitationResult = resultUnion(
  'RevokeInvitationResult',
  Deleted,
  revokeInvitation,
  'The id that the invitation had, or why it is not revoked.',
);
const AcceptInvitationResult = resultUnion(
  'AcceptInvitationResult',
  SignedIn,
  acceptInvitation,
  'The session of the new member, or why there is none.',
);

/** Of the arguments of inviteMembers, before they are read. */
function needsProof({ input }: { readonly input?: unknown }): boolean {
  return isInviting(input) && givesAdmin(input);
}

function isInviting(input: unknown): input is typeof InviteMembersInput.$inferInput {
  return typeof input === 'object' && input !== null && 'role' in input;
}

builder.mutationFields((t) => ({
  inviteMembers: t.withAuth(onId(inviteMembers, 'account', 'input.accountId', needsProof)).field({
    type: InviteMembersResult,
    nullable: true,
    description: guarded(
      inviteMembers.permission,
      `Mails a link to each address that is good for ${INVITATION_DAYS} days and one use. At most ${MAX_INVITATIONS} invitations may be open, and there may be ${MAX_MEMBERS} members with them. Whoever makes an ADMIN, of the account or a server, needs a fresh proof of identity.`,
    ),
    extensions: { costPerItem: { argument: 'input.emails', cost: 20 } },
    args: { input: t.arg({ type: InviteMembersInput, description: 'Whom.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, inviteMembers.permission, 'account', accountId);
      return inviteMembers(context.deps, caller, { ...input, accountId, servers: grantsOf(input.servers ?? []) });
    },
  }),
  resendInvitation: t.withAuth(onId(resendInvitation, 'invitation', 'input.id')).field({
    type: ResendInvitationResult,
    nullable: true,
    description: guarded(
      resendInvitation.permission,
      `Mails a new link, at most one a minute, good for ${INVITATION_DAYS} days. The one before is no longer good.`,
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: IdInput, description: 'The invitation.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('invitation', input.id);
      const caller = await callerAt(context, resendInvitation.permission, 'invitation', id);
      return resendInvitation(context.deps, caller, { id });
    },
  }),
  revokeInvitation: t.withAuth(onId(revokeInvitation, 'invitation', 'input.id')).field({
    type: RevokeInvitationResult,
    nullable: true,
    description: guarded(revokeInvitation.permission, 'Takes an invitation back: its link is dead.'),
    args: { input: t.arg({ type: IdInput, description: 'The invitation.' }) },
    resolve: async (_root, { input }, context) => {
      const uuid = uuidOf('invitation', input.id);
      const caller = await callerAt(context, revokeInvitation.permission, 'invitation', uuid);
      const { id } = await revokeInvitation(context.deps, caller, { id: uuid });
      return { id: encodeId('invitation', id) };
    },
  }),
  acceptInvitation: t.withAuth({ public: true }).field({
    type: AcceptInvitationResult,
    nullable: true,
    description:
      'Makes whoever holds the link a member, and signs them in; one use. As the identity of the address: a new one, the one that is signed in, whose session then gets a new secret, or one that its password proves. Where that has a second factor, it is still to be shown.',
    extensions: { cost: PASSWORD_COST },
    args: { input: t.arg({ type: AcceptInvitationInput, description: 'The answer.' }) },
    resolve: (_root, { input }, context) =>
      acceptInvitation(context.deps, visitorOf(context), {
        token: input.token,
        name: input.name ?? null,
        password: input.password ?? null,
      }),
  }),
}));
