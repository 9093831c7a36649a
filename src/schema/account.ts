// Accounts.
import type { AccountRow } from '#/db/accounts.ts';
import { listDomains } from '#/db/domains.ts';
import { listSignatures } from '#/db/sender-signatures.ts';
import { listServers } from '#/db/servers.ts';
import { InvalidCursor } from '#/domain/errors.ts';
import { decodeIdOf, encodeId, type IdKind } from '#/domain/ids.ts';
import { RETENTION_DAYS } from '#/domain/retention.ts';
import { builder, guarded } from './builder.ts';
import { Domain, DomainConnection } from './domain.ts';
import { type Context, everywhere, enter, within } from './context.ts';
import { inItsAccount, onAccount, onId } from './guards.ts';
import { loadersIn, loadersOf } from './loaders.ts';
import { locate } from './locate.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { SenderSignatureConnection } from './sender-signature.ts';
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
    servers: t.withAuth(onAccount('server.list')).field({
      type: ServerConnection,
      description: guarded('server.list', 'The servers of the account, oldest first.'),
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
      },
      resolve: ({ id }, args, context) =>
        pageOf('server', args, (after, limit) => listServers(within(context, id).scope, after, limit)),
    }),
    domains: t.withAuth(onAccount('domain.read')).field({
      type: DomainConnection,
      description: guarded('domain.read', 'The domains of the account, oldest first.'),
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
      },
      resolve: ({ id }, args, context) =>
        pageOf('domain', args, (after, limit) => listDomains(within(context, id).scope, after, limit)),
    }),
    senderSignatures: t.withAuth(onAccount('domain.read')).field({
      type: SenderSignatureConnection,
      description: guarded('domain.read', 'The sender signatures of the account, oldest first.'),
      args: {
        first: t.arg.int({ description: firstText() }),
        after: t.arg.string({ required: false, description: afterText }),
      },
      resolve: ({ id }, args, context) =>
        pageOf('signature', args, (after, limit) => listSignatures(within(context, id).scope, after, limit)),
    }),
  }),
});

/** A page of a list whose cursors are ids. */
async function pageOf<R extends { readonly id: string }>(
  kind: IdKind,
  args: { readonly first: number; readonly after?: string | null | undefined },
  list: (after: string | null, limit: number) => Promise<readonly R[]>,
) {
  const first = checkFirst(args.first);
  const after = args.after ?? null;
  const last = after === null ? null : decodeIdOf(kind, after);
  if (after !== null && last === null) throw new InvalidCursor();
  const rows = await list(last, first + 1);
  const page = { hasMore: rows.length > first, after };
  return connectionOf(rows.slice(0, first), page, ({ id }) => encodeId(kind, id));
}

builder.objectField(Server, 'domains', (t) =>
  t.withAuth(inItsAccount('domain.read')).field({
    type: [Domain],
    nullable: true,
    description: guarded('domain.read', 'The only domains that it may send from; null: all of the account.'),
    resolve: async (server, _args, context) =>
      server.domainsLimited ? [...(await loadersOf(context, server).domainsOfServer.load(server.id))] : null,
  }),
);

builder.objectField(Server, 'account', (t) =>
  t.field({
    type: Account,
    description: 'The account that the server belongs to.',
    resolve: async (server, _args, context) => {
      const account = await loadersOf(context, server).account.load(server.accountId);
      if (account === null) throw new Error('a server without an account');
      return account;
    },
  }),
);

builder.queryField('account', (t) =>
  t.withAuth(onId({ permission: 'account.read' }, 'account', 'id')).field({
    type: Account,
    nullable: true,
    description: "An account by its id. Without id: the caller's account, when there is exactly one.",
    args: { id: t.arg.id({ required: false, description: 'Of the account.' }) },
    resolve: (_root, { id }, context) => (typeof id === 'string' ? accountById(context, id) : onlyAccount(context)),
  }),
);

async function accountById(context: Context, id: string): Promise<AccountRow | null> {
  const uuid = decodeIdOf('account', id);
  const located = uuid === null ? null : await locate(context, 'account', uuid);
  return located === null || uuid === null ? null : loadersIn(context, located.at).account.load(uuid);
}

/** Null where there are several. */
async function onlyAccount(context: Context): Promise<AccountRow | null> {
  const [at, another] = everywhere(context);
  if (at === undefined || another !== undefined) return null;
  await enter(context, at, encodeId('account', at.accountId));
  return loadersIn(context, at).account.load(at.accountId);
}
