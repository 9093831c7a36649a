// The members of an account, and what is done to them.
import { listMembers, type MemberRow } from '#/db/memberships.ts';
import { InvalidCursor } from '#/domain/errors.ts';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { leaveAccount, removeMember } from '#/resolvers/members/remove-member.ts';
import { transferOwnership } from '#/resolvers/members/transfer-ownership.ts';
import { updateMembership } from '#/resolvers/members/update-membership.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { type Context, within } from './context.ts';
import { resultUnion } from './errors.ts';
import { onAccount, onId } from './guards.ts';
import { uuidOf } from './ids.ts';
import { loadersIn } from './loaders.ts';
import { callerAt } from './locate.ts';
import { AccountRole, Membership, type MembershipShape } from './membership.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { ServerAccessLevel } from './server.ts';

export function membershipOf({
  accountId,
  role,
  joinedAt,
  userId,
  name,
  email,
  secondFactor,
}: MemberRow): MembershipShape {
  return { accountId, role, joinedAt, user: { id: userId, name, email, secondFactor } };
}

const MembershipConnection = builder.connectionObject(
  { type: Membership, name: 'MembershipConnection', description: 'A page of members.' },
  { name: 'MembershipEdge', description: 'A member in the list.' },
);

builder.objectField(Account, 'members', (t) =>
  t.withAuth(onAccount('member.read')).field({
    type: MembershipConnection,
    description: guarded(
      'member.read',
      'The members, in the order in which their identities were made. A member who is ADMIN of some server sees the owner, the admins, and who shares a server with them.',
    ),
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
      twoFactor: t.arg.boolean({
        required: false,
        description: 'Only those who have, or have not, a second factor; all unless given.',
      }),
    },
    resolve: async ({ id }, args, context) => {
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const last = after === null ? null : decodeIdOf('user', after);
      if (after !== null && last === null) throw new InvalidCursor();
      const filter = { twoFactor: args.twoFactor ?? null, after: last, limit: first + 1 };
      const rows = await listMembers(within(context, id).scope, filter);
      const page = { hasMore: rows.length > first, after };
      return connectionOf(rows.slice(0, first).map(membershipOf), page, ({ user }) => encodeId('user', user.id));
    },
  }),
);

export const ServerGrantInput = builder.inputType('ServerGrantInput', {
  description: 'A server that a MEMBER gets to see, and how far.',
  fields: (t) => ({
    serverId: t.id({ description: 'A server of the account.' }),
    level: t.field({ type: ServerAccessLevel, description: 'How far.' }),
  }),
});

/** The use-cases' form of grants that came in. */
export function grantsOf(servers: readonly (typeof ServerGrantInput.$inferInput)[]) {
  return servers.map(({ serverId, level }) => ({ serverId: uuidOf('server', serverId), level }));
}

const accountText = 'The account.';

const UpdateMembershipInput = builder.inputType('UpdateMembershipInput', {
  description: 'Changes to a membership. What is left out stays as it is.',
  fields: (t) => ({
    accountId: t.id({ description: accountText }),
    userId: t.id({ description: 'The member. Not the owner.' }),
    role: t.field({ type: AccountRole, required: false, description: 'ADMIN or MEMBER.' }),
    servers: t.field({
      type: [ServerGrantInput],
      required: false,
      description: 'Grants of a MEMBER, in place of all that there are; null: none. An ADMIN has every server.',
    }),
  }),
});

const RemoveMemberInput = builder.inputType('RemoveMemberInput', {
  description: 'A membership to end.',
  fields: (t) => ({
    accountId: t.id({ description: accountText }),
    userId: t.id({ description: 'The member; the caller to leave. Not the owner.' }),
  }),
});

const TransferOwnershipInput = builder.inputType('TransferOwnershipInput', {
  description: 'To whom an account is handed over.',
  fields: (t) => ({
    accountId: t.id({ description: accountText }),
    userId: t.id({ description: 'The member who becomes the owner.' }),
  }),
});

const UpdateMembershipResult = resultUnion(
  'UpdateMembershipResult',
  Membership,
  updateMembership,
  'The changed membership, or why it is not.',
);
const RemoveMemberResult = resultUnion(
  'RemoveMemberResult',
  Account,
  removeMember,
  'The account, or why the member stays.',
);
const TransferOwnershipResult = resultUnion(
  'TransferOwnershipResult',
  Account,
  transferOwnership,
  'The account, or why its owner stays.',
);

/** Everybody may leave; only some may remove others. */
function removalFor(context: Context, userId: unknown) {
  const { asker } = context;
  const self = asker !== null && 'person' in asker && encodeId('user', asker.person.userId) === userId;
  return self ? leaveAccount : removeMember;
}

function userIdIn({ input }: Readonly<Record<string, unknown>>): unknown {
  return typeof input === 'object' && input !== null ? Reflect.get(input, 'userId') : undefined;
}

const removalScopes = Object.assign(
  (root: object, args: Readonly<Record<string, unknown>>, context: Context) =>
    onId(removalFor(context, userIdIn(args)), 'account', 'input.accountId')(root, args, context),
  { permission: removeMember.permission },
);

const atAccount = 'input.accountId';

builder.mutationFields((t) => ({
  updateMembership: t.withAuth(onId(updateMembership, 'account', atAccount)).field({
    type: UpdateMembershipResult,
    nullable: true,
    description: guarded(
      updateMembership.permission,
      'Changes role and grants of a member, at once: what they follow and may no longer see ends within two seconds. Needs a fresh proof of identity.',
    ),
    args: { input: t.arg({ type: UpdateMembershipInput, description: 'The changes.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const userId = uuidOf('user', input.userId);
      const caller = await callerAt(context, updateMembership.permission, 'account', accountId);
      const { member } = await updateMembership(context.deps, caller, {
        accountId,
        userId,
        role: input.role,
        servers: input.servers == null ? input.servers : grantsOf(input.servers),
      });
      loadersIn(context, within(context, accountId)).grantsOfMember.clear(userId);
      return membershipOf(member);
    },
  }),
  removeMember: t.withAuth(removalScopes).field({
    type: RemoveMemberResult,
    nullable: true,
    description: guarded(
      removeMember.permission,
      'Ends a membership, at once. Every member but the owner may end their own. Invitations that the member has sent and that are open are revoked. Needs a fresh proof of identity.',
    ),
    args: { input: t.arg({ type: RemoveMemberInput, description: 'The membership.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const useCase = removalFor(context, input.userId);
      const caller = await callerAt(context, useCase.permission, 'account', accountId);
      return (await useCase(context.deps, caller, { accountId, userId: uuidOf('user', input.userId) })).account;
    },
  }),
  transferOwnership: t.withAuth(onId(transferOwnership, 'account', atAccount)).field({
    type: TransferOwnershipResult,
    nullable: true,
    description: guarded(
      transferOwnership.permission,
      'Hands the account over to another member; who had it becomes an ADMIN. Both are told by mail. Needs a fresh proof of identity.',
    ),
    extensions: { cost: 20 },
    args: { input: t.arg({ type: TransferOwnershipInput, description: 'To whom.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      const caller = await callerAt(context, transferOwnership.permission, 'account', accountId);
      const order = { accountId, userId: uuidOf('user', input.userId) };
      return (await transferOwnership(context.deps, caller, order)).account;
    },
  }),
}));
