// Things by their id alone. What is somebody else's is null, like what never existed; rights are those of the fields
// under which the things stand.
import { refusalOf } from '#/domain/actor.ts';
import { BadUserInput, Forbidden } from '#/domain/errors.ts';
import { decodeId, type IdKind } from '#/domain/ids.ts';
import type { Permission } from '#/domain/permissions.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { type Located, type LocatedKind, locate } from './locate.ts';
import { MAX_PAGE } from './paging.ts';
import { findUserNode } from './user-node.ts';

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

interface NodeRule {
  readonly typeName: string;
  readonly permission: Permission;
}

const rules: Readonly<Partial<Record<IdKind, NodeRule>>> & Readonly<Record<LocatedKind, NodeRule>> = {
  account: { typeName: 'Account', permission: 'account.read' },
  server: { typeName: 'Server', permission: 'server.read' },
  stream: { typeName: 'MessageStream', permission: 'stream.read' },
  message: { typeName: 'Message', permission: 'message.read' },
  bounce: { typeName: 'Bounce', permission: 'bounce.read' },
  inboundMessage: { typeName: 'InboundMessage', permission: 'inbound.read' },
  inboundRule: { typeName: 'InboundRule', permission: 'inboundSettings.read' },
  suppression: { typeName: 'Suppression', permission: 'suppression.read' },
  suppressionImport: { typeName: 'SuppressionImport', permission: 'suppression.read' },
  domain: { typeName: 'Domain', permission: 'domain.read' },
  signature: { typeName: 'SenderSignature', permission: 'domain.read' },
  webhook: { typeName: 'Webhook', permission: 'webhook.read' },
  webhookDelivery: { typeName: 'WebhookDelivery', permission: 'webhook.read' },
  token: { typeName: 'ServerToken', permission: 'serverToken.read' },
  invitation: { typeName: 'Invitation', permission: 'member.write' },
  contact: { typeName: 'EmergencyContact', permission: 'contact.read' },
  staffAccess: { typeName: 'StaffAccessGrant', permission: 'staffAccess.read' },
  audit: { typeName: 'AuditEntry', permission: 'audit.read' },
};

async function findNode(context: Context, id: string): Promise<object | null> {
  const decoded = decodeId(id);
  if (decoded === null) return null;
  const { kind, uuid } = decoded;
  if (kind === 'user' || kind === 'session' || kind === 'factor') return findUserNode(context, kind, uuid);
  if (!isLocated(kind)) return null;
  if (kind === 'token') return findToken(context, uuid);
  const { typeName, permission } = rules[kind];
  refuseTokenWithout(context, permission);
  const located = await locate(context, kind, uuid);
  return located === null ? null : nodeOf(located, typeName, permission);
}

function isLocated(kind: IdKind): kind is LocatedKind {
  return kind in rules;
}

function nodeOf({ at, row, serverId }: Located, typeName: string, permission: Permission): object {
  const refusal = refusalOf(at.caller.actor, permission, serverId);
  if (refusal !== null) throw new Forbidden(refusal);
  return { ...row, __typename: typeName };
}

/** A token sees itself; other tokens are for those who see them in their list. */
async function findToken(context: Context, uuid: string): Promise<object | null> {
  const located = await locate(context, 'token', uuid);
  if (located === null) return null;
  const { actor } = located.at.caller;
  const typeName = located.serverId === null ? 'AccountToken' : 'ServerToken';
  const own = 'tokenId' in actor && actor.tokenId === uuid;
  if (own) return { ...located.row, __typename: typeName };
  const permission = located.serverId === null ? 'accountToken.read' : 'serverToken.read';
  // A token is not even told that it has siblings.
  if ('tokenId' in actor && refusalOf(actor, permission) !== null) return null;
  return nodeOf(located, typeName, permission);
}

/** A token that may not see things of a kind is told so, whether or not this one is there. */
function refuseTokenWithout({ asker }: Context, permission: Permission): void {
  const refusal = asker !== null && 'actor' in asker ? refusalOf(asker.actor, permission) : null;
  if (refusal !== null) throw new Forbidden(refusal);
}
