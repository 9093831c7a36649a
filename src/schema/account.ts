// Accounts.
import type { AccountRow } from '#/db/accounts.ts';
import { listServers } from '#/db/servers.ts';
import { InvalidCursor } from '#/domain/errors.ts';
import { decodeIdOf, encodeId } from '#/domain/ids.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { builder, guarded } from './builder.ts';
import { loadersOf } from './loaders.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { Server, ServerConnection } from './server.ts';

const TwoFactorPolicy = builder.enumType('TwoFactorPolicy', {
  description: 'Whether members need a second factor.',
  values: {
    OPTIONAL: { description: 'Each member decides.' },
    REQUIRED: { description: 'Members without one can do nothing but set it up.' },
  } as const,
});

export const Account = builder.objectRef<AccountRow>('Account').implement({
  description:
    'A customer of the installation. Everything belongs to one account, and nothing is seen across accounts.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, acc_….', resolve: ({ id }) => encodeId('account', id) }),
    name: t.exposeString('name', { description: 'For people.' }),
    twoFactorPolicy: t.field({
      type: TwoFactorPolicy,
      description: 'Whether members need a second factor.',
      resolve: ({ twoFactorPolicy }) => twoFactorPolicy,
    }),
    retentionDays: t.exposeInt('retentionDays', {
      description: `Days that message content and events are kept, ${RETENTION_DAYS.min} to ${RETENTION_DAYS.max}; ${RETENTION_DAYS.default} unless set. A change holds for messages accepted after it.`,
    }),
    servers: t.withAuth({ can: 'server.list' }).field({
      type: ServerConnection,
      description: guarded('server.list', 'The servers of the account, oldest first.'),
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
      },
      resolve: async (_account, args, { scope }) => {
        const first = checkFirst(args.first);
        const after = args.after ?? null;
        const last = after === null ? null : decodeIdOf('server', after);
        if (after !== null && last === null) throw new InvalidCursor();
        const rows = await listServers(scope, last, first + 1);
        const page = { hasMore: rows.length > first, after };
        return connectionOf(rows.slice(0, first), page, ({ id }) => encodeId('server', id));
      },
    }),
  }),
});

builder.objectField(Server, 'account', (t) =>
  t.field({
    type: Account,
    description: 'The account that the server belongs to.',
    resolve: async ({ accountId }, _args, context) => {
      const account = await loadersOf(context).account.load(accountId);
      if (account === null) throw new Error('a server without an account');
      return account;
    },
  }),
);

builder.queryField('account', (t) =>
  t.withAuth({ can: 'account.read' }).field({
    type: Account,
    nullable: true,
    description: "An account by its id. Without id: the caller's account, when there is exactly one.",
    args: { id: t.arg.id({ required: false, description: 'Of the account.' }) },
    resolve: (_root, { id }, context) => {
      const uuid = typeof id === 'string' ? decodeIdOf('account', id) : context.scope.accountId;
      return uuid === null ? null : loadersOf(context).account.load(uuid);
    },
  }),
);
