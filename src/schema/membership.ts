// Members of accounts, and the servers that they may see.
import type { GrantRow } from '#/db/memberships.ts';
import type { AccountRole as Role } from '#/domain/permissions.ts';
import { Account } from './account.ts';
import { builder } from './builder.ts';
import { loadersOf } from './loaders.ts';
import { Server, ServerAccessLevel } from './server.ts';
import { type Somebody, User } from './user.ts';

export const AccountRole = builder.enumType('AccountRole', {
  description: 'What a member may do in an account.',
  values: {
    OWNER: { description: 'Everything. There is exactly one.' },
    ADMIN: { description: 'Everything but to hand the account over and to let staff of the installation in.' },
    MEMBER: { description: 'What the grants on servers say.' },
  } as const,
});

export interface MembershipShape {
  readonly accountId: string;
  readonly role: Role;
  readonly joinedAt: Date;
  readonly user: Somebody;
}

/** Of a member, or of somebody who is invited. */
export const ServerAccess = builder
  .objectRef<Pick<GrantRow, 'accountId' | 'serverId' | 'level'>>('ServerAccess')
  .implement({
    description: 'A server that somebody may see, and how far.',
    fields: (t) => ({
      server: t.field({
        type: Server,
        description: 'The server.',
        resolve: async (grant, _args, context) => {
          const server = await loadersOf(context, grant).server.load(grant.serverId);
          if (server === null) throw new Error('a grant without its server');
          return server;
        },
      }),
      level: t.field({ type: ServerAccessLevel, description: 'How far.', resolve: ({ level }) => level }),
    }),
  });

export const Membership = builder.objectRef<MembershipShape>('Membership').implement({
  description: 'A person as a member of an account.',
  fields: (t) => ({
    account: t.field({
      type: Account,
      description: 'The account.',
      resolve: async (membership, _args, context) => {
        const account = await loadersOf(context, membership).account.load(membership.accountId);
        if (account === null) throw new Error('a membership without its account');
        return account;
      },
    }),
    user: t.field({ type: User, description: 'The person.', resolve: ({ user }) => user }),
    role: t.field({ type: AccountRole, description: 'What the person may do.', resolve: ({ role }) => role }),
    servers: t.field({
      type: [ServerAccess],
      description: 'Grants of a MEMBER, as far as the caller sees these servers; owner and admins have all servers.',
      resolve: async (membership, _args, context) => [
        ...(await loadersOf(context, membership).grantsOfMember.load(membership.user.id)),
      ],
    }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'Since when.' }),
  }),
});
