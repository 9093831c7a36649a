// Bounces of a server, and lifting what one has suppressed.
import { encodeId } from '#/domain/ids.ts';
import { listBounces } from '#/resolvers/bounces/list-bounces.ts';
import { reactivateBounce } from '#/resolvers/bounces/reactivate-bounce.ts';
import { Bounce, BounceType } from './bounce.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { resultUnion } from './errors.ts';
import { onId, onServer } from './guards.ts';
import { uuidOf } from './ids.ts';
import { IdInput } from './inputs.ts';
import { callerAt } from './locate.ts';
import { afterText, checkFirst, connectionOf, firstText } from './paging.ts';
import { Server } from './server.ts';

const BounceConnection = builder.connectionObject(
  { type: Bounce, name: 'BounceConnection', description: 'A page of bounces.' },
  { name: 'BounceEdge', description: 'A bounce in its list.' },
);

const BounceFilter = builder.inputType('BounceFilter', {
  description: 'What a bounce must have. All that is given must match.',
  fields: (t) => ({
    type: t.field({ type: BounceType, required: false, description: 'Its type.' }),
    stream: t.string({ required: false, description: 'Slug of the stream.' }),
    address: t.string({ required: false, description: 'The address that it is about; case does not matter.' }),
    messageId: t.id({ required: false, description: 'The message that it is about, also once that was removed.' }),
    tag: t.string({ required: false, description: 'Of a message with this tag.' }),
    inactive: t.boolean({ required: false, description: 'Whether the address is suppressed because of it.' }),
    since: t.field({ type: 'DateTime', required: false, description: 'Then or later.' }),
    until: t.field({ type: 'DateTime', required: false, description: 'Before.' }),
  }),
});

builder.objectField(Server, 'bounces', (t) =>
  t.withAuth(onServer(listBounces.permission)).field({
    type: BounceConnection,
    description: guarded(listBounces.permission, 'Bounces and complaints that are kept, newest first.'),
    extensions: { cost: 5 },
    args: {
      first: t.arg.int({ description: firstText() }),
      after: t.arg.string({ required: false, description: afterText }),
      filter: t.arg({ type: BounceFilter, required: false, description: 'Only those that pass; all unless given.' }),
    },
    resolve: async ({ id, accountId }, args, context) => {
      const { deps, caller } = within(context, accountId);
      const first = checkFirst(args.first);
      const after = args.after ?? null;
      const page = await listBounces(deps, caller, { serverId: id, first, after, filter: args.filter ?? {} });
      return connectionOf(page.bounces, { hasMore: page.hasMore, after }, (row) => encodeId('bounce', row.id));
    },
  }),
);

const ReactivateBounceResult = resultUnion(
  'ReactivateBounceResult',
  Bounce,
  reactivateBounce,
  'The bounce, which suppresses nothing any more, or why it still does.',
);

builder.mutationField('reactivateBounce', (t) =>
  t.withAuth(onId(reactivateBounce, 'bounce', 'input.id')).field({
    type: ReactivateBounceResult,
    nullable: true,
    description: guarded(
      reactivateBounce.permission,
      'Lets the address of a bounce get mail again. Never after a spam complaint.',
    ),
    args: { input: t.arg({ type: IdInput, description: 'The bounce.' }) },
    resolve: async (_root, { input }, context) => {
      const id = uuidOf('bounce', input.id);
      return reactivateBounce(context.deps, await callerAt(context, reactivateBounce.permission, 'bounce', id), { id });
    },
  }),
);
