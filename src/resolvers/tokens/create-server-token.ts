// Makes a token of a server.
import { countLiveTokens } from '#/db/api-tokens.ts';
import { listStreams, lockServer } from '#/db/servers.ts';
import type { Issues } from '#/domain/email/issues.ts';
import { InvalidInput, LimitReached, NotFound } from '#/domain/errors.ts';
import { encodeId } from '#/domain/ids.ts';
import { defaultServerTokenScopes, type ServerTokenScope, serverTokenScopes } from '#/domain/permissions.ts';
import { MAX_TOKENS } from '#/domain/token-rules.ts';
import { command } from '../define.ts';
import { checkWishes, type TokenWishes } from './check-order.ts';
import { type IssuedToken, issueToken } from './issue-token.ts';

export interface CreateServerTokenRequest extends TokenWishes {
  readonly serverId: string;
  /** Null: what an application needs. */
  readonly scopes: readonly ServerTokenScope[] | null;
  /** Slug; null: all streams. */
  readonly stream: string | null;
}

export const createServerToken = command({
  permission: 'serverToken.write',
  stepUp: true,
  errors: [InvalidInput, LimitReached, NotFound],
  audit: (_input: CreateServerTokenRequest, { token }: IssuedToken) => ({
    action: 'serverToken.create',
    subjectIds: [encodeId('token', token.id), ...(token.serverId === null ? [] : [encodeId('server', token.serverId)])],
    changes: {
      name: token.name,
      hint: token.hint,
      scopes: token.scopes,
      stream: token.streamId === null ? null : encodeId('stream', token.streamId),
      allowedIps: token.allowedIps,
      expiresAt: token.expiresAt,
    },
  }),
  async run({ scope, inside, fail }, input) {
    const server = (await lockServer(scope, input.serverId)) ?? fail(new NotFound());
    const streams = input.stream === null ? [] : await listStreams(scope, [server.id]);
    const stream = streams.find(({ slug }) => slug === input.stream) ?? null;
    const wishes = checkWishes(input, scope.now, (issues) => {
      if (input.scopes?.length === 0) issues.add(['scopes'], 'is empty: such a token could do nothing of use');
      if (input.stream !== null) checkStream(stream, issues);
    });
    const { active } = await countLiveTokens(scope, server.id);
    if (active >= MAX_TOKENS) fail(new LimitReached('live tokens on a server', MAX_TOKENS));
    const wanted: readonly ServerTokenScope[] = input.scopes ?? defaultServerTokenScopes;
    return issueToken(scope, inside, {
      ...wishes,
      accountId: scope.accountId,
      server: { id: server.id, sandbox: server.deliveryType === 'SANDBOX' },
      scopes: serverTokenScopes.filter((known) => wanted.includes(known)),
      streamId: stream?.id ?? null,
    });
  },
});

function checkStream(stream: { readonly archivedAt: Date | null } | null, issues: Issues): void {
  if (stream === null) issues.add(['stream'], 'is no stream of the server');
  else if (stream.archivedAt !== null) issues.add(['stream'], 'is archived');
}
