// Things by their id alone. What is somebody else's is null, like what never existed; rights are those of the fields
// under which the things stand.
import { BadUserInput, Forbidden } from '#/domain/errors.ts';
import { decodeId } from '#/domain/ids.ts';
import { type Permission, refusalOf } from '#/domain/permissions.ts';
import { builder } from './builder.ts';
import type { SignedContext } from './context.ts';
import { loadersOf } from './loaders.ts';
import { MAX_PAGE } from './paging.ts';

builder.queryFields((t) => ({
  node: t.withAuth({ authenticated: true }).field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'What has this id; null when nothing of the caller has it.',
    args: { id: t.arg.id({ description: 'Global id.' }) },
    resolve: (_root, { id }, context) => findNode(context, id),
  }),
  nodes: t.withAuth({ authenticated: true }).field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `What has these ids, in their order; at most ${MAX_PAGE}.`,
    args: { ids: t.arg.idList({ description: 'Global ids.' }) },
    resolve: (_root, { ids }, context) => {
      if (ids.length > MAX_PAGE)
        throw new BadUserInput(`ids has ${ids.length} entries; at most ${MAX_PAGE} are allowed.`);
      return ids.map((id) => findNode(context, id));
    },
  }),
}));

async function findNode(context: SignedContext, id: string): Promise<object | null> {
  const decoded = decodeId(id);
  if (decoded === null) return null;
  const { kind, uuid } = decoded;
  const loaders = loadersOf(context);
  switch (kind) {
    case 'account':
      require(context, 'account.read');
      return as('Account', await loaders.account.load(uuid));
    case 'server':
      require(context, 'server.read');
      return as('Server', await loaders.server.load(uuid));
    case 'stream': {
      require(context, 'stream.read');
      const stream = await loaders.stream.load(uuid);
      // A stream goes with its server.
      return stream === null || (await loaders.server.load(stream.serverId)) === null
        ? null
        : as('MessageStream', stream);
    }
    case 'message':
      require(context, 'message.read');
      return as('Message', await loaders.message.load(uuid));
    case 'bounce':
      require(context, 'event.read');
      return as('Bounce', await loaders.bounce.load(uuid));
    case 'domain':
      require(context, 'domain.read');
      return as('Domain', await loaders.domain.load(uuid));
    case 'signature':
      require(context, 'domain.read');
      return as('SenderSignature', await loaders.signature.load(uuid));
    case 'token': {
      // Its own: other tokens are nobody's to see here.
      const { actor } = context.caller;
      if (actor.kind === 'OPERATOR' || actor.tokenId !== uuid) return null;
      return as(actor.kind === 'SERVER_TOKEN' ? 'ServerToken' : 'AccountToken', await loaders.token.load(uuid));
    }
    default:
      return null;
  }
}

function require({ caller }: SignedContext, permission: Permission): void {
  const refusal = refusalOf(caller.actor, permission);
  if (refusal !== null) throw new Forbidden(refusal);
}

function as(typeName: string, row: object | null): object | null {
  return row === null ? null : { ...row, __typename: typeName };
}
