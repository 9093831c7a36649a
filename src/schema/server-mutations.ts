// What is done to servers.
import { encodeId } from '#/domain/ids.ts';
import { MAX_SERVER_NAME } from '#/domain/servers.ts';
import { createServer } from '#/resolvers/servers/create-server.ts';
import { deleteServer } from '#/resolvers/servers/delete-server.ts';
import { updateServer } from '#/resolvers/servers/update-server.ts';
import { builder, guarded } from './builder.ts';
import { resultUnion } from './errors.ts';
import { uuidOf } from './ids.ts';
import { onId } from './guards.ts';
import { callerAt } from './locate.ts';
import { Deleted, IdInput } from './inputs.ts';
import { LinkTracking } from './link-tracking.ts';
import { DeliveryType, Server, ServerColor } from './server.ts';

const nameText = `For people; 1 to ${MAX_SERVER_NAME} characters, unique in the account whatever their case.`;

const CreateServerInput = builder.inputType('CreateServerInput', {
  description: 'A new server.',
  fields: (t) => ({
    accountId: t.id({ description: 'The account that gets it.' }),
    name: t.string({ description: nameText }),
    color: t.field({ type: ServerColor, required: false, description: 'GREY unless given.' }),
    deliveryType: t.field({ type: DeliveryType, required: false, description: 'LIVE unless given. Never changes.' }),
    trackOpens: t.boolean({ required: false, description: 'Whether opens are recorded; not unless said.' }),
    trackLinks: t.field({
      type: LinkTracking,
      required: false,
      description: 'Which links are tracked; NONE unless given.',
    }),
  }),
});

const UpdateServerInput = builder.inputType('UpdateServerInput', {
  description: 'Changes to a server. What is left out stays as it is; null is refused, but for domainIds.',
  fields: (t) => ({
    id: t.id({ description: 'The server.' }),
    name: t.string({ required: false, description: nameText }),
    color: t.field({ type: ServerColor, required: false, description: 'Tells it apart at a glance.' }),
    trackOpens: t.boolean({ required: false, description: 'Whether opens are recorded.' }),
    trackLinks: t.field({ type: LinkTracking, required: false, description: 'Which links are tracked.' }),
    domainIds: t.idList({
      required: false,
      description:
        'The only domains that it may send from, and from no sender signature then; null: all domains and signatures of the account, also those to come.',
    }),
  }),
});

const CreateServerResult = resultUnion('CreateServerResult', Server, createServer, 'The server, or why there is none.');
const UpdateServerResult = resultUnion(
  'UpdateServerResult',
  Server,
  updateServer,
  'The changed server, or why it is not.',
);
const DeleteServerResult = resultUnion(
  'DeleteServerResult',
  Deleted,
  deleteServer,
  'The id that the server had, or why it is not deleted.',
);

builder.mutationFields((t) => ({
  createServer: t.withAuth(onId(createServer, 'account', 'input.accountId')).field({
    type: CreateServerResult,
    nullable: true,
    description: guarded(createServer.permission, 'Makes a server with the streams outbound, inbound and broadcast.'),
    args: { input: t.arg({ type: CreateServerInput, description: 'The new server.' }) },
    resolve: async (_root, { input }, context) => {
      const accountId = uuidOf('account', input.accountId);
      return createServer(context.deps, await callerAt(context, createServer.permission, 'account', accountId), {
        accountId,
        name: input.name,
        color: input.color ?? null,
        deliveryType: input.deliveryType ?? null,
        trackOpens: input.trackOpens ?? null,
        trackLinks: input.trackLinks ?? null,
      });
    },
  }),
  updateServer: t.withAuth(onId(updateServer, 'server', 'input.id')).field({
    type: UpdateServerResult,
    nullable: true,
    description: guarded(updateServer.permission, 'Changes the settings of a server.'),
    args: { input: t.arg({ type: UpdateServerInput, description: 'The changes.' }) },
    resolve: async (_root, { input: { domainIds, ...input } }, context) => {
      const id = uuidOf('server', input.id);
      const { server } = await updateServer(
        context.deps,
        await callerAt(context, updateServer.permission, 'server', id),
        {
          ...input,
          id,
          domainIds: domainIds?.map((id) => uuidOf('domain', id)) ?? (domainIds === null ? null : undefined),
        },
      );
      return server;
    },
  }),
  deleteServer: t.withAuth(onId(deleteServer, 'server', 'input.id')).field({
    type: DeleteServerResult,
    nullable: true,
    description: guarded(deleteServer.permission, 'Deletes a server. Its tokens are dead at once.'),
    args: { input: t.arg({ type: IdInput, description: 'The server.' }) },
    resolve: async (_root, { input }, context) => {
      const uuid = uuidOf('server', input.id);
      const caller = await callerAt(context, deleteServer.permission, 'server', uuid);
      const { id } = await deleteServer(context.deps, caller, { id: uuid });
      return { id: encodeId('server', id) };
    },
  }),
}));
