// The token that a command is about, with what counts its siblings locked.
import { findTokens, lockAccountTokens, lockToken, type TokenRow } from '#/db/api-tokens.ts';
import type { WriteScope } from '#/db/scope.ts';
import { lockServer, type ServerRow } from '#/db/servers.ts';

/** Null: there is none, or none of this kind, or its server is gone. */
export async function findServerTokenToChange(
  scope: WriteScope,
  id: string,
): Promise<{ readonly token: TokenRow; readonly server: ServerRow } | null> {
  const [known] = await findTokens(scope, [id]);
  if (known === undefined || known.serverId === null) return null;
  const server = await lockServer(scope, known.serverId);
  const token = server === undefined ? undefined : await lockToken(scope, id);
  return server === undefined || token === undefined ? null : { token, server };
}

export async function findAccountTokenToChange(scope: WriteScope, id: string): Promise<TokenRow | null> {
  const [known] = await findTokens(scope, [id]);
  if (known === undefined || known.serverId !== null) return null;
  await lockAccountTokens(scope);
  return (await lockToken(scope, id)) ?? null;
}
