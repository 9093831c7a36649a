// API tokens, as far as they are shown: never their secrets.
import type { TokenRow } from '#/db/api-tokens.ts';
import { encodeId } from '#/domain/ids.ts';
import { serverTokenScopes } from '#/domain/permissions.ts';
import { builder } from './builder.ts';
import { loadersOf } from './loaders.ts';
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

const ServerTokenScope = builder.enumType('ServerTokenScope', {
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

function stateOf(
  { revokedAt, expiresAt, replacedBy }: TokenRow,
  now: Date,
): 'ACTIVE' | 'ROTATING' | 'EXPIRED' | 'REVOKED' {
  if (revokedAt !== null) return 'REVOKED';
  if (expiresAt !== null && expiresAt <= now) return 'EXPIRED';
  return replacedBy === null ? 'ACTIVE' : 'ROTATING';
}

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
      resolve: (token, _args, { deps }) => stateOf(token, deps.clock.now()),
    }),
    allowedIps: t.exposeStringList('allowedIps', {
      description: 'Addresses and networks (CIDR) that it may be used from; empty: from everywhere.',
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
  }),
});

const interfaces = [builder.nodeInterfaceRef(), ApiToken];
const idText = 'Global id, tok_….';

builder.objectRef<TokenRow>('ServerToken').implement({
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

builder.objectRef<TokenRow>('AccountToken').implement({
  description: 'A token of the account, to manage servers with.',
  interfaces,
  fields: (t) => ({ id: t.id({ description: idText, resolve: ({ id }) => encodeId('token', id) }) }),
});
