// Makes a token: the row that is stored and the secret that is shown this once.
import { createHash } from 'node:crypto';
import { insertToken, type TokenRow } from '#/db/api-tokens.ts';
import type { SystemWriteScope, WriteScope } from '#/db/scope.ts';
import type { ServerTokenScope } from '#/domain/permissions.ts';
import { makeToken, tokenHint, tokenPrefixes } from '#/domain/token.ts';
import type { Ids, Random } from '#/runtime/ports.ts';

export interface TokenOrder {
  readonly accountId: string;
  readonly name: string;
  /** Null: a token of the account. */
  readonly server: { readonly id: string; readonly sandbox: boolean } | null;
  readonly scopes: readonly ServerTokenScope[];
  /** Bound to this stream, these networks, this end; to none unless given. */
  readonly streamId?: string | null;
  readonly allowedIps?: readonly string[];
  readonly expiresAt?: Date | null;
}

export interface IssuedToken {
  readonly token: TokenRow;
  /** Shown this once. */
  readonly secret: string;
}

export async function issueToken(
  scope: WriteScope | SystemWriteScope,
  inside: { readonly ids: Ids; readonly random: Random },
  order: TokenOrder,
): Promise<IssuedToken> {
  const { server } = order;
  const prefix =
    server === null ? tokenPrefixes.account : server.sandbox ? tokenPrefixes.serverSandbox : tokenPrefixes.serverLive;
  const secret = makeToken(prefix, (length) => inside.random.bytes(length));
  const token: TokenRow = {
    accountId: order.accountId,
    id: inside.ids.next(),
    kind: server === null ? 'ACCOUNT' : 'SERVER',
    serverId: server?.id ?? null,
    streamId: order.streamId ?? null,
    name: order.name,
    secretHash: createHash('sha256').update(secret).digest(),
    hint: tokenHint(secret),
    scopes: [...order.scopes],
    allowedIps: [...(order.allowedIps ?? [])],
    createdAt: scope.now,
    lastUsedAt: null,
    expiresAt: order.expiresAt ?? null,
    revokedAt: null,
    replacedBy: null,
    rotatedAt: null,
    remindedOldAt: null,
    remindedUnusedAt: null,
  };
  await insertToken(scope, token);
  return { token, secret };
}
