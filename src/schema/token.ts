// API tokens, as far as they are shown: never their secrets.
import { listAccountTokens, type TokenRow } from '#/db/api-tokens.ts';
import { encodeId } from '#/domain/ids.ts';
import { serverTokenScopes } from '#/domain/permissions.ts';
import { DEAD_TOKENS_LISTED_DAYS, MAX_DEAD_TOKENS_LISTED, tokenStateOf } from '#/domain/token-rules.ts';
import { Account } from './account.ts';
import { builder, guarded } from './builder.ts';
import { within } from './context.ts';
import { onAccount, onServer } from './guards.ts';
import { loadersOf } from './loaders.ts';
import { Server } from './server.ts';
import { MessageStream } from './stream.ts';

const TokenState = builder.enumType('TokenState', {
  description: 'Whether a token may still be used.',
  values: {
    ACTIVE: { description: 'It may be used.' },
    ROTATING: { description: 'Another has taken its place; it may be used until it expires.' },
    EXPIRED: { description: 'Its time is over.' },
    REVOKED: { description: 'It was revoked.' },
  } as const,
});

export const ServerTokenScope = builder.enumType('ServerTokenScope', {
  description: 'What a server token may be used for.',
  values: {
    MESSAGES_SEND: { description: 'Send and cancel email.' },
    MESSAGES_READ: { description: 'See messages, recipients and attempts.' },
    CONTENT_READ: { description: 'See bodies and source of messages.' },
    EVENTS_READ: { description: 'See and follow events.' },
    STATS_READ: { description: 'See statistics.' },
    SUPPRESSIONS_WRITE: { description: 'Suppress addresses and lift suppressions.' },
    TEMPLATES_WRITE: { description: 'Change templates.' },
    WEBHOOKS_WRITE: { description: 'Change webhooks.' },
    STREAMS_WRITE: { description: 'Create, archive and unarchive streams.' },
    INBOUND_READ: { description: 'See incoming messages.' },
  } as const,
});

export const ApiToken = builder.interfaceRef<TokenRow>('ApiToken').implement({
  description: 'A token that programs use.',
  resolveType: ({ kind }) => (kind === 'SERVER' ? 'ServerToken' : 'AccountToken'),
  fields: (t) => ({
    id: t.id({ description: 'Global id, tok_….', resolve: ({ id }) => encodeId('token', id) }),
    name: t.exposeString('name', { description: 'For people.' }),
    hint: t.exposeString('hint', {
      description: 'Kind prefix and last four characters; the secret itself is shown once and never stored.',
    }),
    state: t.field({
      type: TokenState,
      description: 'Whether it may still be used.',
      resolve: (token, _args, { deps }) => tokenStateOf(token, deps.clock.now()),
    }),
    allowedIps: t.exposeStringList('allowedIps', {
      description: 'Networks (CIDR) that it may be used from; empty: from everywhere.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, right to a minute; null while it never was.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ends; null: never by itself.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null while it was not.',
    }),
    rotatedAt: t.expose('rotatedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When another took its place; null while none has.',
    }),
  }),
});

const interfaces = [builder.nodeInterfaceRef(), ApiToken];
const idText = 'Global id, tok_….';

export const ServerToken = builder.objectRef<TokenRow>('ServerToken').implement({
  description: 'A token of one server, for an application.',
  interfaces,
  fields: (t) => ({
    id: t.id({ description: idText, resolve: ({ id }) => encodeId('token', id) }),
    scopes: t.field({
      type: [ServerTokenScope],
      description: 'What it may be used for.',
      resolve: ({ scopes }) => serverTokenScopes.filter((scope) => scopes.includes(scope)),
    }),
    stream: t.field({
      type: MessageStream,
      nullable: true,
      description: 'Bound to this stream; null for all.',
      resolve: (token, _args, context) =>
        token.streamId === null ? null : loadersOf(context, token).stream.load(token.streamId),
    }),
  }),
});

export const AccountToken = builder.objectRef<TokenRow>('AccountToken').implement({
  description: 'A token of the account, to manage servers with.',
  interfaces,
  fields: (t) => ({ id: t.id({ description: idText, resolve: ({ id }) => encodeId('token', id) }) }),
});

const listed = `newest first: all that live, and those that died in the last ${DEAD_TOKENS_LISTED_DAYS} days, at most ${MAX_DEAD_TOKENS_LISTED}.`;

builder.objectField(Server, 'tokens', (t) =>
  t.withAuth(onServer('serverToken.read')).field({
    type: [ServerToken],
    description: guarded('serverToken.read', `Its tokens, ${listed}`),
    extensions: { cost: 5 },
    resolve: async (server, _args, context) => [...(await loadersOf(context, server).tokensOfServer.load(server.id))],
  }),
);

builder.objectFields(Account, (t) => ({
  tokens: t.withAuth(onAccount('accountToken.read')).field({
    type: [AccountToken],
    description: guarded('accountToken.read', `Tokens of the account itself, ${listed}`),
    extensions: { cost: 5 },
    resolve: ({ id }, _args, context) => listAccountTokens(within(context, id).scope, context.deps.clock.now()),
  }),
  tokenReminderDays: t.exposeInt('tokenReminderDays', {
    description: 'Age in days at which owner and admins are reminded by mail to rotate a token.',
  }),
}));
